/** See and steer the subflows of Multipath TCP connections. */
module org.subflows {
    requires static transitive java.instrument; // for the agent

    exports org.subflows;
}
