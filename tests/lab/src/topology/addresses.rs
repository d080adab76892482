//! A client whose interfaces have more addresses than the right one.

use std::io;
use std::time::Duration;

use super::{Net, subnets};
use crate::testing::wait_until;

/// Of the client's addresses, those that lead nowhere come first in the kernel's list: a management
/// address of another network, a unique local address, a deprecated one, and one that stays tentative.
/// The interface `vip` owns an address of the whole host, and leads nowhere.
pub(super) fn build() -> io::Result<Net> {
    let net = subnets::build(2)?;
    let device = &net.paths[1].client_interface;
    let (v4, v6) = (net.paths[1].client_v4, net.paths[1].client_v6);
    net.client.ip_batch(&format!(
        "address add 172.16.0.4/24 dev {device}\n\
         address del {v4}/24 dev {device}\n\
         address add {v4}/24 dev {device}\n\
         address add fd00:2::1/64 dev {device} nodad\n\
         address add 2001:db8:2::9/64 dev {device} nodad preferred_lft 0\n\
         link add vip type veth peer name vip-end\n\
         address add 10.55.0.1/32 dev vip\n\
         address add 2001:db8:55::1/128 dev vip nodad\n\
         link set vip up\n\
         link set vip-end up\n\
         address add 10.66.0.1/32 dev {}\n\
         address add 10.66.0.1/32 dev {device}\n",
        net.paths[0].client_interface,
    ))?;
    // Temporary addresses exist, but are not preferred: their numbers are random.
    let setting = |name: &str| format!("net/ipv6/conf/{device}/{name}");
    net.client.set_sysctl(&setting("use_tempaddr"), "1")?;
    net.client.ip_batch(&format!("address change {v6}/64 dev {device} mngtmpaddr nodad\n"))?;
    wait_until(Duration::from_secs(10), "a temporary address", || {
        let temporary = net.client.ip(&["-6", "address", "show", "dev", device, "temporary"]);
        temporary.is_ok_and(|shown| shown.contains("inet6"))
    });
    // The kernel asks 255 times, once a second, whether another host has the last address.
    net.client.set_sysctl(&setting("accept_dad"), "1")?;
    net.client.set_sysctl(&setting("dad_transmits"), "255")?;
    net.client.ip_batch(&format!("address add 2001:db8:2::7/64 dev {device}\n"))?;
    // The server knows the way to the address of the whole host.
    net.server.ip_batch(&format!(
        "route add 10.55.0.1/32 via {} dev {}\n\
         route add 2001:db8:55::1/128 via {} dev {}\n",
        net.paths[0].client_v4,
        net.paths[0].server_interface,
        net.paths[0].client_v6,
        net.paths[0].server_interface,
    ))?;
    Ok(net)
}
