//! The settings of Multipath TCP in a network namespace: `net.mptcp.*`.

use std::fs;
use std::io::{self, Write};

use crate::cause;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel_name::KernelName;
use crate::shared::settings::{FOLDER, number, read};
use crate::shared::subflow_option::OptionValue;
use crate::shared::{no_mptcp, privilege};
use crate::table::{Field, Record, Type, Typed, operation, record};

record! {
    /// The settings of Multipath TCP in a network namespace, under the kernel's names (`net.mptcp.*`). A
    /// setting that this kernel lacks is absent.
    pub struct Settings {
        /// Whether sockets may be Multipath TCP ones.
        enabled: Option<bool> ["5.6"],
        /// How long a peer has to acknowledge an announced address before it is announced again, in
        /// seconds.
        add_addr_timeout: Option<u32> ["5.10"],
        /// Whether connections ask the peer for checksums of the data (RFC 8684, section 3.3.1).
        checksum_enabled: Option<bool> ["5.14"],
        /// Whether peers may open further subflows to the address and port of the initial one.
        allow_join_initial_addr_port: Option<bool> ["5.14"],
        /// After how many retransmissions of a segment a subflow counts as stale; 0 for never.
        stale_loss_cnt: Option<u32> ["5.15"],
        /// The path manager of new sockets, as a number: 0 for the kernel, 1 for userspace. `path_manager`
        /// replaces it.
        pm_type: Option<u8> ["5.19"],
        /// The path manager of new sockets: `kernel`, `userspace`, or another that is available.
        path_manager: Option<KernelName> ["6.15"],
        /// The path managers that this kernel has, with a space between them. Cannot be set.
        available_path_managers: Option<String> ["6.15"],
        /// The packet scheduler of new sockets.
        scheduler: Option<KernelName> ["6.6"],
        /// The packet schedulers that this kernel has, with a space between them. Cannot be set.
        available_schedulers: Option<String> ["6.10"],
        /// How long a connection without subflows lives on, in seconds.
        close_timeout: Option<u32> ["6.7"],
        /// For how long connections are plain TCP after a black hole was found, in seconds, doubled with
        /// each further one; 0 for never. Setting it ends that time.
        blackhole_timeout: Option<u32> ["6.12"],
        /// How many SYNs with the Multipath TCP option are sent before one without.
        syn_retrans_before_tcp_fallback: Option<u32> ["6.15"],
        /// Whether segments that announce an IPv6 address with a port go without TCP timestamps, to have
        /// room for it.
        add_addr_v6_port_drop_ts: Option<bool> ["7.2"],
    }
}

operation! {
    /// Reads the settings of Multipath TCP in the calling thread's network namespace.
    ///
    /// # Errors
    /// `Unsupported` if the kernel has no Multipath TCP; `NotPermitted` if /proc/sys is hidden.
    ///
    /// ```
    /// let settings = subflows::settings()?;
    /// println!("{:?} {:?}", settings.enabled, settings.blackhole_timeout);
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row SETTINGS() -> Settings::TYPE, requires Nothing, since "5.6", [Unsupported NotPermitted];
    pub fn settings() -> Result<Settings> {
        if let Err(error) = fs::metadata(FOLDER) {
            return Err(no_folder("settings", &error));
        }
        let switch = |name| number(name).map(|number| number != 0);
        let name = |name| read(name).map(|text| KernelName::from(text.as_str()));
        Ok(Settings {
            enabled: switch("enabled"),
            add_addr_timeout: number("add_addr_timeout"),
            checksum_enabled: switch("checksum_enabled"),
            allow_join_initial_addr_port: switch("allow_join_initial_addr_port"),
            stale_loss_cnt: number("stale_loss_cnt"),
            pm_type: read("pm_type").and_then(|text| text.parse().ok()),
            path_manager: name("path_manager"),
            available_path_managers: read("available_path_managers"),
            scheduler: name("scheduler"),
            available_schedulers: read("available_schedulers"),
            close_timeout: number("close_timeout"),
            blackhole_timeout: number("blackhole_timeout"),
            syn_retrans_before_tcp_fallback: number("syn_retrans_before_tcp_fallback"),
            add_addr_v6_port_drop_ts: switch("add_addr_v6_port_drop_ts"),
        })
    }
}

operation! {
    /// Sets one setting of Multipath TCP in the calling thread's network namespace, by its name in
    /// `settings`.
    ///
    /// The value is true or false, a number, or a name, as the field has it. Most settings apply to sockets
    /// that are made from now on.
    ///
    /// # Errors
    /// - `InvalidArgument` for a name that is not a setting or cannot be set, and for a value that the
    ///   kernel rejects.
    /// - `Unsupported` if this kernel lacks the setting.
    /// - `NotPermitted` without the privilege, or if /proc/sys is read-only, as in most containers.
    /// - `Busy` if another process has changed the setting again.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// subflows::set_setting("checksum_enabled", true)?;
    /// subflows::set_setting("blackhole_timeout", 60)?;
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row SET_SETTING(setting: Type::Text, value: Type::OptionValue) -> Type::Nothing,
        requires OwnNetAdmin, since "5.6", [Unsupported NotPermitted Busy];
    pub fn set_setting(setting: impl AsRef<str>, value: impl Into<OptionValue>) -> Result<()> {
        set(setting.as_ref(), &value.into())
    }
}

const OPERATION: &str = "set_setting";
/// How many times a setting is read before it counts as changed by another process.
const READS: usize = 64;

fn set(name: &str, value: &OptionValue) -> Result<()> {
    let Some(field) = Settings::FIELDS.iter().find(|field| field.name == name) else {
        let names: Vec<_> = Settings::FIELDS.iter().filter(|field| can_be_set(field)).collect();
        let names: Vec<_> = names.into_iter().map(|field| field.name).collect();
        return Err(Error::argument(OPERATION, format!("{name:?} is not a setting"))
            .with_remedy(format!("The settings are: {}.", names.join(", "))));
    };
    if !can_be_set(field) {
        return Err(Error::argument(OPERATION, format!("{name} can only be read"))
            .with_remedy("Load the kernel module that provides another one."));
    }
    let text = written(field, value)?;
    let path = format!("{FOLDER}/{name}");
    // Not by `fs::write`, which would try to create a file that does not exist.
    let file = fs::OpenOptions::new().write(true).open(&path);
    let set = file.and_then(|mut file| file.write_all(text.as_bytes()));
    set.map_err(|error| not_set(field, &text, &error))?;
    // A process that takes control of a connection changes the path manager for a microsecond, and changes it
    // back to what it was.
    let now = (0..READS).find_map(|_| read(name).filter(|now| *now == text));
    if now.is_some() || read(name).is_none() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Busy, OPERATION)
        .detail(format!("another process changed net.mptcp.{name} after it was set to {text}"))
        .with_remedy(format!("Call again, or find out what sets it: sysctl net.mptcp.{name}.")))
}

/// The lists of what the kernel has are the only settings of that type.
fn can_be_set(field: &Field) -> bool {
    field.ty != <Option<String> as Typed>::TYPE
}

/// The value as the kernel reads it, if it is of the setting's type.
fn written(field: &Field, value: &OptionValue) -> Result<String> {
    const NAME: Type = <Option<KernelName> as Typed>::TYPE;
    const SWITCH: Type = <Option<bool> as Typed>::TYPE;
    match (field.ty, value) {
        (SWITCH, OptionValue::Switch(on)) => Ok(u8::from(*on).to_string()),
        (SWITCH, OptionValue::Number(number @ 0..=1)) => Ok(number.to_string()),
        (NAME, OptionValue::Name(name))
            if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(name.clone())
        }
        (NAME | SWITCH, _) => Err(rejected(field, &value.to_string())),
        (_, OptionValue::Number(number)) => Ok(number.to_string()),
        _ => Err(rejected(field, &value.to_string())),
    }
}

fn rejected(field: &Field, text: &str) -> Error {
    let name = field.name;
    let remedy = match (field.ty, name) {
        (ty, _) if ty == <Option<bool> as Typed>::TYPE => "Pass true or false.".to_owned(),
        (_, "path_manager" | "scheduler") => {
            let all = read(&format!("available_{name}s"));
            format!("Pass one of: {}.", all.unwrap_or_else(|| "default".to_owned()))
        }
        (_, "pm_type") => "Pass 0 for the kernel, or 1 for userspace.".to_owned(),
        (_, "syn_retrans_before_tcp_fallback") => "Pass a number from 0 to 255.".to_owned(),
        (_, "stale_loss_cnt") => "Pass a number from 0 to 4294967295.".to_owned(),
        _ => "Pass a number of seconds, up to 2147483647 divided by the kernel's CONFIG_HZ."
            .to_owned(),
    };
    Error::argument(OPERATION, format!("net.mptcp.{name} cannot be {text:?}")).with_remedy(remedy)
}

fn not_set(field: &Field, text: &str, error: &io::Error) -> Error {
    let name = field.name;
    let refused = |cause: cause::Cause| {
        let error = cause.error(OPERATION).errno(error.raw_os_error().unwrap_or(0));
        error
            .detail(format!("net.mptcp.{name}: {}", cause.what))
            .with_remedy(cause.remedy.replace("NAME=VALUE", &format!("{name}={text}")))
    };
    match error.raw_os_error() {
        // Of a file that exists, for a name that is not available.
        Some(errno @ (libc::EINVAL | libc::ERANGE)) => rejected(field, text).errno(errno),
        Some(libc::ENOENT) if read(name).is_some() => rejected(field, text).errno(libc::ENOENT),
        Some(libc::ENOENT) => match fs::metadata(FOLDER) {
            Ok(_) => Error::new(ErrorKind::Unsupported, OPERATION)
                .detail(format!("this kernel has no setting net.mptcp.{name}"))
                .with_remedy(format!("Use Linux {} or newer.", field.since)),
            Err(error) => no_folder(OPERATION, &error),
        },
        Some(libc::EROFS) => refused(cause::READ_ONLY_SYSCTLS),
        Some(libc::EACCES | libc::EPERM) => refused(privilege::missing_without_broker()),
        _ => Error::from_io(OPERATION, error),
    }
}

/// Returns why there are no settings at all.
fn no_folder(operation: &'static str, error: &io::Error) -> Error {
    let cause = match no_mptcp::cause() {
        Some(cause) if cause == cause::NO_MPTCP => cause,
        _ => cause::HIDDEN_SYSCTLS,
    };
    cause.error(operation).errno(error.raw_os_error().unwrap_or(0))
}
