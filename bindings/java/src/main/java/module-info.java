/** See and steer the subflows of Multipath TCP connections. */
module org.subflows {
    exports org.subflows;
}
