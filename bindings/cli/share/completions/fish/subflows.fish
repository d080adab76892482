# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_subflows_global_optspecs
    string join \n json h/help V/version
end

function __fish_subflows_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_subflows_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_subflows_using_subcommand
    set -l cmd (__fish_subflows_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c subflows -n "__fish_subflows_needs_command" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_needs_command" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_needs_command" -s V -l version -d 'Print version'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "capabilities" -d 'Report what this kernel and this process can do, with a remedy for what they cannot'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "connections" -d 'List every Multipath TCP connection of this network namespace with its subflows'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "connection" -d 'Look up one connection by its token, as the kernel shows it to every user'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "status" -d 'Report the state of one connection, and what manages its subflows'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "info" -d 'Read the counters of one connection as a whole'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "list" -d 'List the live subflows of one connection'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "details" -d 'Report what `list` does not show of one subflow'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "open" -d 'Open one more subflow and wait until it is usable'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "close" -d 'Close one subflow and leave the connection open'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "set-backup" -d 'Mark a subflow as backup, or as regular again'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "option" -d 'Show or set the options of one subflow'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "raw-option" -d 'Show or set an option of one subflow that `option` does not have, by its numbers'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "addresses" -d 'List the local addresses of one connection, with their address ids'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "announce" -d 'Announce a local address to the peer, until this command ends'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "events" -d 'Follow the events of one connection, or of all in this network namespace, from now on'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "connect" -d 'Connect, and join standard input and output to the connection, as netcat does'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "run" -d 'Run an unchanged program whose TCP connections use Multipath TCP'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "endpoints" -d 'Show or change the endpoints of the kernel\'s path manager'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "limits" -d 'Show or set the limits of the kernel\'s path manager'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "settings" -d 'Show or set the settings of Multipath TCP: net.mptcp.*'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "counters" -d 'Show the kernel\'s counters of Multipath TCP'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "doctor" -d 'Find out why there is no second subflow, or why a connection is plain TCP'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "probe" -d 'Find out whether servers have Multipath TCP, and what happens to it on the way'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "watch" -d 'Watch the connections of this network namespace, their subflows and their rates'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "serve-check" -d 'Serve a page that shows each client whether its connection uses Multipath TCP'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "schema" -d 'Print the JSON schema of what a verb prints with --json'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "broker" -d 'Steer the connections of programs without privileges'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "lab" -d 'Run a command on a network of its own, with paths of given delay, rate and loss'
complete -c subflows -n "__fish_subflows_needs_command" -f -a "demo" -d 'Show a transfer over two paths, which are opened, made backup, cut and closed during it'
complete -c subflows -n "__fish_subflows_using_subcommand capabilities" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand capabilities" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand connections" -l processes -d 'Find out which processes hold each connection, in /proc: without root, only your own'
complete -c subflows -n "__fish_subflows_using_subcommand connections" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand connections" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand connection" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand connection" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand status" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand info" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand list" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand details" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand details" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand open" -l local -d 'The local address [default: an address of the interface, or that of the initial subflow]' -r
complete -c subflows -n "__fish_subflows_using_subcommand open" -l interface -d 'The interface to send by [default: the one that has the local address]' -r
complete -c subflows -n "__fish_subflows_using_subcommand open" -l remote -d 'The peer\'s address; without a port, the port of the connection [default: the address of the connection]' -r
complete -c subflows -n "__fish_subflows_using_subcommand open" -l timeout -d 'The timeout, such as 5s or 500ms' -r
complete -c subflows -n "__fish_subflows_using_subcommand open" -l local-port -d 'The local port [default: a free port of the ephemeral range]' -r
complete -c subflows -n "__fish_subflows_using_subcommand open" -l backup -d 'Ask the peer to use the subflow as backup only, from the start'
complete -c subflows -n "__fish_subflows_using_subcommand open" -l unbound -d 'Let the routing table choose the interface: only for hosts whose routing rules depend on the source address'
complete -c subflows -n "__fish_subflows_using_subcommand open" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand close" -l force -d 'Close the subflow even if it is the last one that works. The connection then has no path, and ends unless another subflow is opened'
complete -c subflows -n "__fish_subflows_using_subcommand close" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand set-backup" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand set-backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand option" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand option" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand raw-option" -l length -d 'How many bytes to read' -r
complete -c subflows -n "__fish_subflows_using_subcommand raw-option" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand raw-option" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand addresses" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand addresses" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand announce" -l port -d 'The port that the peer connects to, on which this command listens; 0 chooses a free one [default: that of this end of the connection, on which the program must listen already]' -r
complete -c subflows -n "__fish_subflows_using_subcommand announce" -l backlog -d 'How many connections of other hosts may wait at that port until they are reset' -r
complete -c subflows -n "__fish_subflows_using_subcommand announce" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand announce" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand events" -l count -d 'End after so many events' -r
complete -c subflows -n "__fish_subflows_using_subcommand events" -l buffer -d 'How much the kernel keeps of events that this command has not read yet: more are lost, which a Lost event reports' -r
complete -c subflows -n "__fish_subflows_using_subcommand events" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand connect" -l via -d 'Open one more path by this interface, or from this local address; may be repeated' -r
complete -c subflows -n "__fish_subflows_using_subcommand connect" -l backup -d 'As --via, as a backup: it is used only while no other path works' -r
complete -c subflows -n "__fish_subflows_using_subcommand connect" -l fdpass -d 'Pass the connected socket to the process at standard output, and exit: for ssh with ProxyUseFdpass'
complete -c subflows -n "__fish_subflows_using_subcommand connect" -l report -d 'Print the paths and their bytes on standard error at the end'
complete -c subflows -n "__fish_subflows_using_subcommand connect" -l open-only -d 'The connection is standard input: open the paths, and exit'
complete -c subflows -n "__fish_subflows_using_subcommand connect" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand run" -l report -d 'Append a line of JSON for each connection to FILE: its ends, its paths, and the bytes on each' -r -F
complete -c subflows -n "__fish_subflows_using_subcommand run" -l via -d 'Open one more path of each connection by this interface, or from this local address; may be repeated' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l local -d 'Open one more path of each connection from this local address; may be repeated' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l backup -d 'As --via, as a backup: it is used only while no other path works' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l only -d 'Connect by Multipath TCP to this host or network only; may be repeated' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l not -d 'Connect by TCP to this host or network; may be repeated' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l java-agent -d 'Start JVMs with Java\'s agent from this jar; `no` for none' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l agent -d 'This process is the agent' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l of -d 'The process for which it acts' -r
complete -c subflows -n "__fish_subflows_using_subcommand run" -l server -d 'With --only: listen by Multipath TCP as well, as without --only'
complete -c subflows -n "__fish_subflows_using_subcommand run" -l enhanced -d 'Answer the options of the enhanced socket API of 2016 (getsockopt 66 to 71, setsockopt 72, and 42 to 45)'
complete -c subflows -n "__fish_subflows_using_subcommand run" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -f -a "show" -d 'Show the endpoints, in the order of their ids'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -f -a "add" -d 'Add an endpoint, and print it as the kernel has it'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -f -a "change" -d 'Change the flags of an endpoint that can change: backup and fullmesh'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -f -a "remove" -d 'Remove an endpoint; the kernel closes the subflows of its address'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and not __fish_seen_subcommand_from show add change remove flush" -f -a "flush" -d 'Remove every endpoint'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from show" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l interface -d 'The interface by which its subflows leave [default: the one that the routing table selects]' -r
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l port -d 'The port to announce with the address; the kernel listens on it' -r
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l id -d 'The address id, 1 to 255 [default: a free one]' -r
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l signal -d 'Announce the address to peers'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l subflow -d 'Open a subflow from the address on connections of clients'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l backup -d 'Make its subflows backups'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l fullmesh -d 'Open a subflow to each address of the peer; not together with --signal'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l laminar -d 'Open a subflow when a peer announces an address (Linux 6.18)'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from change" -l backup -d 'Whether its subflows are backups' -r -f -a "yes\t''
no\t''"
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from change" -l fullmesh -d 'Whether the kernel opens a subflow to each address of the peer' -r -f -a "yes\t''
no\t''"
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from change" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from change" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from flush" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand endpoints; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and not __fish_seen_subcommand_from show set" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and not __fish_seen_subcommand_from show set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and not __fish_seen_subcommand_from show set" -f -a "show" -d 'Show the limits'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and not __fish_seen_subcommand_from show set" -f -a "set" -d 'Set one limit or both, for connections that begin from now on'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and __fish_seen_subcommand_from show" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and __fish_seen_subcommand_from set" -l subflows -d 'How many subflows a connection may have in addition to the initial one: 0 to 8' -r
complete -c subflows -n "__fish_subflows_using_subcommand limits; and __fish_seen_subcommand_from set" -l add-addr-accepted -d 'How many addresses of the peer the kernel opens subflows to: 0 to 8' -r
complete -c subflows -n "__fish_subflows_using_subcommand limits; and __fish_seen_subcommand_from set" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand limits; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c subflows -n "__fish_subflows_using_subcommand settings" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand settings" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand counters" -l all -d 'Show the counters that are 0 as well'
complete -c subflows -n "__fish_subflows_using_subcommand counters" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand counters" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand doctor" -l timeout -d 'How long the server has to answer, such as 5s or 500ms' -r
complete -c subflows -n "__fish_subflows_using_subcommand doctor" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand probe" -l from -d 'Read more servers from this file, or from standard input if it is -' -r -F
complete -c subflows -n "__fish_subflows_using_subcommand probe" -l parallel -d 'How many servers are probed at the same time, 1 to 1000' -r
complete -c subflows -n "__fish_subflows_using_subcommand probe" -l timeout -d 'The timeout of each probe, such as 5s or 500ms' -r
complete -c subflows -n "__fish_subflows_using_subcommand probe" -l data -d 'Send this text once connected, followed by two line breaks: it decides what is else Unconfirmed' -r
complete -c subflows -n "__fish_subflows_using_subcommand probe" -l trace -d 'Find the hop at which the option of the SYN vanishes. Requires root, or CAP_NET_RAW'
complete -c subflows -n "__fish_subflows_using_subcommand probe" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand watch" -l interval -d 'How often to read the connections, such as 1s or 500ms' -r
complete -c subflows -n "__fish_subflows_using_subcommand watch" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand serve-check" -l listen -d 'The address and the port to listen on; port 0 chooses a free one' -r
complete -c subflows -n "__fish_subflows_using_subcommand serve-check" -l max-clients -d 'How many clients are served at the same time; if there are more, the oldest is dropped' -r
complete -c subflows -n "__fish_subflows_using_subcommand serve-check" -l timeout -d 'How long a client may take, such as 10s' -r
complete -c subflows -n "__fish_subflows_using_subcommand serve-check" -l wait -d 'How long to wait for a second subflow before the answer, such as 300ms; 0s does not wait' -r
complete -c subflows -n "__fish_subflows_using_subcommand serve-check" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand serve-check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand schema" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l policy -d 'The policy [default: /etc/subflows/broker.toml, if it exists]' -r -F
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l socket -d 'The socket to listen on [default: /run/subflows/broker.sock]' -r -F
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l netns -d 'Serve another network namespace: a name of `ip netns`, or a file such as /proc/PID/ns/net' -r -F
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l metrics -d 'Offer metrics for Prometheus: the path of a socket, or a loopback address such as 127.0.0.1:9400' -r
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l check -d 'Check the policy, and report what the broker could do here'
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l restore -d 'Set net.mptcp.path_manager back after a broker was killed while it changed the setting'
complete -c subflows -n "__fish_subflows_using_subcommand broker" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand broker" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand lab" -l network -d 'Use a network that is ready-made instead of PATHs, such as laptop or link-local-only' -r
complete -c subflows -n "__fish_subflows_using_subcommand lab" -l server -d 'Run this on the server with sh(1), and end it afterwards. COMMAND starts when it listens' -r
complete -c subflows -n "__fish_subflows_using_subcommand lab" -l box -d 'Put a middlebox into a path, which changes or drops segments. May be repeated' -r
complete -c subflows -n "__fish_subflows_using_subcommand lab" -l join -d 'Let the kernel\'s path manager use all the paths, for every Multipath TCP connection'
complete -c subflows -n "__fish_subflows_using_subcommand lab" -s q -l quiet -d 'Do not describe the network on standard error'
complete -c subflows -n "__fish_subflows_using_subcommand lab" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand lab" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subflows -n "__fish_subflows_using_subcommand demo" -l size -d 'The amount of data' -r
complete -c subflows -n "__fish_subflows_using_subcommand demo" -l chart -d 'The file for the chart of the rates, in SVG' -r -F
complete -c subflows -n "__fish_subflows_using_subcommand demo" -l json -d 'Print JSON instead of text, an object on each line'
complete -c subflows -n "__fish_subflows_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
