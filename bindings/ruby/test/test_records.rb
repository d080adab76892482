# frozen_string_literal: true

require_relative "helper"

# Without these, a record would not behave like Ruby's own values.
class RecordsTest < SubflowsTest
  RECORDS = Subflows.constants.map { |name| Subflows.const_get(name) }.select do |constant|
    constant.is_a?(Class) && constant.include?(Subflows::Record)
  end

  def test_every_field_can_be_read
    connection = pair
    subflow = Subflows.open(connection.client, local: "127.0.0.2")
    events = later(Subflows.events(connection.client))
    Subflows.close(connection.client, subflow.id)
    later(Subflows.announce(connection.client, "127.0.0.3"))
    eventually("the announcement") { Subflows.peer_addresses(connection.server).any? }
    records = [
      Subflows.status(connection.client), Subflows.info(connection.client), subflow,
      Subflows.details(connection.client, 1), Subflows.addresses(connection.client).first,
      Subflows.peer_addresses(connection.server).first, Subflows.options(connection.client, 1),
      events.next(5), Subflows.connections(subflows: true).first, Subflows.capabilities.first,
      Subflows.add_endpoint("127.0.0.9", id: 9), Subflows.limits, Subflows.settings,
      Subflows.counters.first, Subflows.connections(processes: true).flat_map(&:processes).first,
      Subflows.doctor.first, Subflows.probe(connection.server.local_address)
    ]
    Subflows.remove_endpoint(9)
    assert_equal RECORDS.to_set, records.to_set(&:class)
    records.each do |record|
      assert_equal record.members, record.to_h.keys
      assert_includes record.inspect, "#{record.class} #{record.members.first}="
      assert_predicate record, :frozen?
      assert Ractor.shareable?(record)
    end
  end

  def test_records_are_made_by_the_verbs_alone
    RECORDS.each { |record| assert_raises(NoMethodError, TypeError) { record.new } }
  end

  def test_records_are_equal_where_all_fields_are
    connection = pair
    one, other = Array.new(2) { Subflows.capabilities.first }
    assert_equal one, other
    assert one.eql?(other)
    assert_equal one.hash, other.hash
    assert_equal 1, [one, other].uniq.size
    refute_equal one, Subflows.status(connection.client)
    refute_equal one, nil
  end

  def test_records_match_patterns
    connection = pair
    case Subflows.status(connection.client)
    in {state: :mptcp, is_ready: true, token: Integer => token, is_join_denied: false}
      assert_equal token, Subflows.connection(token).token
    end
    Subflows.list(connection.client) => [{ id: 1, local: Addrinfo => local }]
    assert_equal connection.client.local_address.inspect, local.inspect
  end

  def test_a_pattern_reads_only_what_it_asks_for
    status = Subflows.status(pair.client)
    assert_equal({ state: :mptcp }, status.deconstruct_keys(%i[state nonsense]))
    assert_equal status.to_h, status.deconstruct_keys(nil)
  end

  def test_truths_are_asked_with_a_question_mark
    connection = pair
    assert_predicate Subflows.status(connection.client), :ready?
    refute_predicate Subflows.details(connection.client, 1), :backup?
  end

  def test_addresses_are_those_of_the_sockets
    %w[127.0.0.1 ::1].each do |host|
      connection = pair(host, control: false)
      path = Subflows.list(connection.client).first
      assert_equal connection.client.local_address.to_sockaddr, path.local.to_sockaddr
      assert_equal connection.client.remote_address.to_sockaddr, path.remote.to_sockaddr
      assert_equal connection.client.remote_address.inspect, path.remote.inspect
      assert_equal host, Subflows.addresses(connection.client).first.ip.ip_address
    end
  end

  def test_symbols_are_those_that_are_listed
    connection = pair
    assert_includes Subflows::STATES, Subflows.status(connection.client).state
    assert_includes Subflows::PATH_MANAGERS, Subflows.status(connection.client).path_manager
    assert_includes Subflows::SUBFLOW_STATES, Subflows.list(connection.client).first.state
  end

  def test_another_ractor_reads_records_and_calls_verbs
    connection = pair
    subflow = Subflows.list(connection.client).first
    told = Ractor.new(subflow, connection.client.fileno) do |given, number|
      [given.local.ip_port, given.state, Subflows.status(number).state]
    end.take
    assert_equal [connection.client.local_address.ip_port, :established], told.first(2)
    assert_equal :mptcp, told.last
  end

  def test_a_copy_of_a_record_is_the_record
    status = Subflows.status(pair.client)
    assert_same status, status.dup
    assert_same status, status.clone
  end
end
