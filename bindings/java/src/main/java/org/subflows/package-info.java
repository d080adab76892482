/**
 * See and steer the subflows of Multipath TCP connections, on stock Linux kernels.
 *
 * <p>{@link org.subflows.Subflows} has the verbs, as static methods on the sockets that a program
 * already has.
 */
package org.subflows;
