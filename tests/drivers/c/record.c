/* The library's structs, member by member, by the names that core gives them. */
#include "driver.h"

#include <stddef.h>
#include <string.h>

enum type {
    U8, U16, U32, U64, BOOL, TEXT, CHARS, ADDRESS, IP, STATE, MANAGER, SUBFLOW_STATE, EVENT
};

struct field {
    const char *name;
    enum type type;
    size_t offset;
    uint64_t bit; /* Of the presence word; 0 where it is always there. */
};

#define ALWAYS(record, member, type) { #member, type, offsetof(struct record, member), 0 }
#define MAYBE(record, member, type, bit) { #member, type, offsetof(struct record, member), bit }
#define LENGTH(fields) (sizeof(fields) / sizeof(fields)[0])

/* Every struct of results begins with the presence word. */
static void put_record(FILE *out, const char *before, const void *record,
                       const struct field *fields, size_t count)
{
    uint64_t present;
    memcpy(&present, record, sizeof present);
    for (size_t i = 0; i < count; i++) {
        const struct field *field = &fields[i];
        const void *at = (const char *)record + field->offset;
        char name[NAME_MAX_LENGTH];
        snprintf(name, sizeof name, "%s%s", before, field->name);
        if (field->bit != 0 && (present & field->bit) == 0)
            continue;
        switch (field->type) {
        case U8: put_number(out, name, *(const uint8_t *)at); break;
        case U16: put_number(out, name, *(const uint16_t *)at); break;
        case U32: put_number(out, name, *(const uint32_t *)at); break;
        case U64: put_number(out, name, *(const uint64_t *)at); break;
        case BOOL: put_text(out, name, *(const bool *)at ? "true" : "false"); break;
        case TEXT: put_text(out, name, *(const char *const *)at); break;
        case CHARS: put_text(out, name, at); break;
        case ADDRESS: put_address(out, name, at); break;
        case IP: put_ip(out, name, at); break;
        case STATE: put_text(out, name, subflows_state_name(*(const int32_t *)at)); break;
        case MANAGER: put_text(out, name, subflows_path_manager_name(*(const int32_t *)at)); break;
        case SUBFLOW_STATE:
            put_text(out, name, subflows_subflow_state_name(*(const int32_t *)at));
            break;
        case EVENT: put_text(out, name, subflows_event_kind_name(*(const int32_t *)at)); break;
        }
    }
}

void put_status(FILE *out, const struct subflows_status *record)
{
    static const struct field fields[] = {
        ALWAYS(subflows_status, state, STATE),
        ALWAYS(subflows_status, is_ready, BOOL),
        ALWAYS(subflows_status, path_manager, MANAGER),
        MAYBE(subflows_status, token, U32, SUBFLOWS_STATUS_HAS_TOKEN),
    };
    put_record(out, "", record, fields, LENGTH(fields));
}

void put_info(FILE *out, const struct subflows_info *record)
{
#define R(member, type) ALWAYS(subflows_info, member, type)
#define M(member, type, bit) MAYBE(subflows_info, member, type, SUBFLOWS_INFO_HAS_##bit)
    static const struct field fields[] = {
        R(token, U32), M(subflows, U32, SUBFLOWS), M(subflows_max, U8, SUBFLOWS_MAX),
        R(addresses_announced, U8), R(addresses_accepted, U8), R(is_remote_key_received, BOOL),
        R(is_checksum_enabled, BOOL), R(write_sequence, U64), R(unacknowledged_sequence, U64),
        R(receive_sequence, U64), M(retransmits, U32, RETRANSMITS),
        M(bytes_retransmitted, U64, BYTES_RETRANSMITTED), M(bytes_sent, U64, BYTES_SENT),
        M(bytes_received, U64, BYTES_RECEIVED), M(bytes_acknowledged, U64, BYTES_ACKNOWLEDGED),
        M(last_data_sent_ms, U32, LAST_DATA_SENT_MS),
        M(last_data_received_ms, U32, LAST_DATA_RECEIVED_MS),
        M(last_acknowledgement_ms, U32, LAST_ACKNOWLEDGEMENT_MS),
    };
#undef R
#undef M
    put_record(out, "", record, fields, LENGTH(fields));
}

void put_subflow(FILE *out, const char *before, const struct subflows_subflow *record)
{
#define R(member, type) ALWAYS(subflows_subflow, member, type)
    static const struct field fields[] = {
        R(id, U32), R(local, ADDRESS), R(remote, ADDRESS), R(state, SUBFLOW_STATE),
        R(rtt_us, U32), R(rtt_deviation_us, U32), R(rtt_min_us, U32), R(rto_us, U32),
        R(congestion_window, U32), R(slow_start_threshold, U32), R(segment_size, U32),
        MAYBE(subflows_subflow, pacing_rate, U64, SUBFLOWS_SUBFLOW_HAS_PACING_RATE),
        R(delivery_rate, U64), R(bytes_sent, U64), R(bytes_acknowledged, U64),
        R(bytes_received, U64), R(bytes_retransmitted, U64), R(bytes_not_sent, U32),
        R(segments_sent, U32), R(segments_received, U32), R(segments_retransmitted, U32),
        R(segments_unacknowledged, U32), R(segments_lost, U32), R(retransmits, U8),
        R(last_data_sent_ms, U32), R(last_data_received_ms, U32), R(last_acknowledgement_ms, U32),
        R(busy_us, U64),
    };
#undef R
    put_record(out, before, record, fields, LENGTH(fields));
}

void put_details(FILE *out, const char *before, const struct subflows_details *record)
{
#define R(member, type) ALWAYS(subflows_details, member, type)
#define M(member, type, bit) MAYBE(subflows_details, member, type, SUBFLOWS_DETAILS_HAS_##bit)
    static const struct field fields[] = {
        R(local, ADDRESS), R(remote, ADDRESS), R(state, SUBFLOW_STATE), R(is_joined, BOOL),
        R(is_additional, BOOL), R(is_backup, BOOL), R(is_remote_backup, BOOL),
        R(local_address_id, U8), R(remote_address_id, U8),
        M(interface_index, U32, INTERFACE_INDEX), M(interface, CHARS, INTERFACE),
        M(congestion_control, CHARS, CONGESTION_CONTROL), R(cookie, U64), R(rtt_us, U32),
        R(bytes_sent, U64), R(bytes_received, U64), R(bytes_retransmitted, U64),
    };
#undef R
#undef M
    put_record(out, before, record, fields, LENGTH(fields));
}

void put_address_record(FILE *out, const char *before, const struct subflows_address *record)
{
    static const struct field fields[] = {
        ALWAYS(subflows_address, id, U8),
        ALWAYS(subflows_address, ip, IP),
        ALWAYS(subflows_address, port, U16),
        ALWAYS(subflows_address, is_announced, BOOL),
        ALWAYS(subflows_address, subflows, U32),
    };
    put_record(out, before, record, fields, LENGTH(fields));
}

void put_event(FILE *out, const struct subflows_event *record)
{
#define R(member, type) ALWAYS(subflows_event, member, type)
#define M(member, type, bit) MAYBE(subflows_event, member, type, SUBFLOWS_EVENT_HAS_##bit)
    static const struct field fields[] = {
        R(kind, EVENT), M(token, U32, TOKEN), M(local, ADDRESS, LOCAL),
        M(remote, ADDRESS, REMOTE), M(local_address_id, U8, LOCAL_ADDRESS_ID),
        M(remote_address_id, U8, REMOTE_ADDRESS_ID),
        M(is_remote_backup, BOOL, IS_REMOTE_BACKUP), M(error, U8, ERROR),
        M(reset_reason, U32, RESET_REASON), M(interface_index, U32, INTERFACE_INDEX),
        R(is_server, BOOL), R(denies_initial_address, BOOL), R(is_resync, BOOL),
    };
#undef R
#undef M
    put_record(out, "", record, fields, LENGTH(fields));
}

void put_connection(FILE *out, const char *before, const struct subflows_connection *record)
{
#define R(member, type) ALWAYS(subflows_connection, member, type)
#define I(member, type)                                                                            \
    { "info." #member, type, offsetof(struct subflows_connection, info_##member), 0 }
#define M(member, type, bit)                                                                       \
    { "info." #member, type, offsetof(struct subflows_connection, info_##member),                  \
      SUBFLOWS_CONNECTION_HAS_INFO_##bit }
    static const struct field fields[] = {
        R(token, U32), R(state, SUBFLOW_STATE), R(local, ADDRESS), R(remote, ADDRESS),
        R(inode, U32), R(uid, U32), R(receive_queue, U32), R(send_queue, U32),
        I(token, U32), M(subflows, U32, SUBFLOWS), M(subflows_max, U8, SUBFLOWS_MAX),
        I(addresses_announced, U8), I(addresses_accepted, U8), I(is_remote_key_received, BOOL),
        I(is_checksum_enabled, BOOL), I(write_sequence, U64), I(unacknowledged_sequence, U64),
        I(receive_sequence, U64), M(retransmits, U32, RETRANSMITS),
        M(bytes_retransmitted, U64, BYTES_RETRANSMITTED), M(bytes_sent, U64, BYTES_SENT),
        M(bytes_received, U64, BYTES_RECEIVED), M(bytes_acknowledged, U64, BYTES_ACKNOWLEDGED),
        M(last_data_sent_ms, U32, LAST_DATA_SENT_MS),
        M(last_data_received_ms, U32, LAST_DATA_RECEIVED_MS),
        M(last_acknowledgement_ms, U32, LAST_ACKNOWLEDGEMENT_MS),
    };
#undef R
#undef I
#undef M
    put_record(out, before, record, fields, LENGTH(fields));
}

void put_capability(FILE *out, const char *before, const struct subflows_capability *record)
{
    static const struct field fields[] = {
        ALWAYS(subflows_capability, name, TEXT),
        ALWAYS(subflows_capability, purpose, TEXT),
        ALWAYS(subflows_capability, is_available, BOOL),
        MAYBE(subflows_capability, cause, TEXT, SUBFLOWS_CAPABILITY_HAS_CAUSE),
        MAYBE(subflows_capability, remedy, TEXT, SUBFLOWS_CAPABILITY_HAS_REMEDY),
    };
    put_record(out, before, record, fields, LENGTH(fields));
}
