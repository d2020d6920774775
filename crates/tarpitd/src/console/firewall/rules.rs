//! The text of the rules.
//!
//! ```text
//!            raw                                    mangle (TPROXY)      dstnat (NAT)
//!  packet ─► of a held client ── mark, notrack ─┐
//!          └ SYN ─► select ── mark (notrack) ───┴─► mark: tproxy to … │ mark: redirect to …
//!                     │ kept, denied, another's port, too many
//!                     └─► as without these rules, or dropped
//! ```
//! Only SYNs are selected: the answers to connections of this machine itself, and of machines
//! behind it, go on as before.

use std::{fmt::Write as _, net::IpAddr};

use super::{
    Asked,
    kept::Kept,
    targets::{Target, Targets, place},
};
use crate::settings::{Family, Network, Settings};

/// Marks packets for tarpits, and names the table of routes for them.
const MARK: &str = "0x7461";
const ROUTES: u32 = 0x7461;

/// SYNs a second from one address (IPv6: /56), and from all together.
const SYNS_OF_ONE: &str = "20/second burst 100 packets";
const SYNS_OF_ALL: &str = "2000/second burst 4000 packets";

/// All rules, with the remarks that they need. `conntrack` is the most connections that the kernel
/// tracks.
pub(super) fn text(
    settings: &Settings,
    asked: &Asked,
    targets: &Targets<'_>,
    kept: &Kept,
    conntrack: Option<u64>,
) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", remarks(asked, targets, conntrack));
    let _ = writeln!(out, "\ntable inet tarpitd\ndelete table inet tarpitd\ntable inet tarpitd {{");
    out.push_str(&sets(settings, kept));
    out.push_str(&select(targets, asked.redirect));
    out.push_str(&if asked.redirect { nat(targets) } else { tproxy(targets) });
    out.push_str("}\n");
    out
}

fn remarks(asked: &Asked, targets: &Targets<'_>, conntrack: Option<u64>) -> String {
    let mut out = String::from(
        "#\n# Nothing is in force yet. Read the rules, save them as tarpitd.nft, and load them:\n\
         #\n#     nft -f tarpitd.nft\n#     nft delete table inet tarpitd      # undoes it\n#\n",
    );
    if asked.redirect {
        let most = conntrack.map(|most| format!(" (now {most})")).unwrap_or_default();
        let _ = write!(
            out,
            "# This is NAT. The kernel tracks each held client for as long as it is held. All\n\
             # connections of this machine share one table of nf_conntrack_max entries{most}: once\n\
             # it is full, the kernel drops new connections of every service. So set the sysctl\n\
             # net.netfilter.nf_conntrack_max well above [limits] clients. Without --redirect the\n\
             # rules use TPROXY and track nothing, but tarpitd then needs CAP_NET_RAW.\n"
        );
    } else {
        let _ = write!(
            out,
            "# This is TPROXY: the kernel gives tarpitd connections for other ports as they are, and\n\
             # tracks none of them. tarpitd needs CAP_NET_RAW or CAP_NET_ADMIN when it opens its port.\n\
             #\n\
             # Policy route: packets for networks that are routed to this machine and that no machine\n\
             # uses (named in the sets `unused4` and `unused6`) need it. The machine's own addresses\n\
             # do without.\n\
             #\n\
             #     ip rule add fwmark {MARK} lookup {ROUTES}\n\
             #     ip route add local default dev lo table {ROUTES}\n\
             #     ip -6 rule add fwmark {MARK} lookup {ROUTES}\n\
             #     ip -6 route add local default dev lo table {ROUTES}\n"
        );
    }
    let accept = if asked.redirect {
        let ports: Vec<_> = targets
            .iter()
            .flat_map(|it| [it.v4, it.v6])
            .flatten()
            .map(|at| at.port().to_string())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        format!("tcp dport {{ {} }} accept", ports.join(", "))
    } else {
        format!("meta mark {MARK} accept")
    };
    let _ = write!(
        out,
        "#\n\
         # If another table drops what it does not know, add this line to its input chain:\n\
         #\n#     {accept}\n#\n\
         # Ports that another table forwards, such as those of containers, do not show here as\n\
         # listening: name them in --except, together with all others that are to stay.\n"
    );
    out
}

/// The named sets: an owner may add to them while the rules are in force.
fn sets(settings: &Settings, kept: &Kept) -> String {
    let mut out = String::from("\t# Ports that stay as they are:\n");
    let mut ports = Vec::new();
    for (port, why) in kept.iter() {
        let _ = writeln!(out, "\t# {port}: {}", one_line(&why));
        ports.push(port);
    }
    let unnamed: Vec<_> = kept
        .unnamed
        .iter()
        .map(|(port, program)| format!("{port} ({})", one_line(program)))
        .collect();
    if !unnamed.is_empty() {
        let all = unnamed.join(", ");
        let _ = writeln!(out, "\t# Not in --except, and left alone while it listens: {all}");
    }
    out.push_str(&set("except", "inet_service", &ports));
    out.push_str("\t# [access] allow and deny: their connections are left alone.\n");
    for (name, networks) in [("allow", &settings.access.allow), ("deny", &settings.access.deny)] {
        for (family, number, kind) in [(Family::V4, 4, "ipv4_addr"), (Family::V6, 6, "ipv6_addr")] {
            let of_family = networks.iter().filter(|network| network.family() == family);
            let elements: Vec<_> = of_family.map(Network::to_string).collect();
            out.push_str(&set(&format!("{name}{number}"), kind, &elements));
        }
    }
    out.push_str("\t# Networks that are routed to this machine and that no machine uses.\n");
    out.push_str(&set("unused4", "ipv4_addr", &[]));
    out.push_str(&set("unused6", "ipv6_addr", &[]));
    out.push_str("\t# Who sends SYNs.\n");
    for (number, kind) in [(4, "ipv4_addr"), (6, "ipv6_addr")] {
        let _ = writeln!(
            out,
            "\tset syns{number} {{\n\t\ttype {kind}\n\t\tsize 65536\n\t\tflags dynamic,timeout\n\t\t\
             timeout 1m\n\t}}"
        );
    }
    out
}

fn set(name: &str, kind: &str, elements: &[String]) -> String {
    let elements = match elements {
        [] => String::new(),
        all => format!("\t\telements = {{ {} }}\n", all.join(", ")),
    };
    format!(
        "\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n\t\tauto-merge\n{elements}\t}}\n"
    )
}

/// Which SYNs go to a tarpit.
fn select(targets: &Targets<'_>, by_nat: bool) -> String {
    let family = match (targets.serves(true), targets.serves(false)) {
        (true, false) => "\t\tmeta nfproto != ipv4 return\n",
        (false, true) => "\t\tmeta nfproto != ipv6 return\n",
        _ => "",
    };
    let notrack = if by_nat { "" } else { "\t\tnotrack\n" };
    let held = if by_nat {
        String::new()
    } else {
        format!(
            "\t\t# Clients that are held: only tarpitd's sockets are transparent.\n\
             \t\tmeta l4proto tcp socket transparent 1 notrack meta mark set {MARK} return\n"
        )
    };
    format!(
        "\tchain select {{\n\
         {family}\
         \t\tiif \"lo\" return\n\
         \t\tip daddr != @unused4 fib daddr type != local return\n\
         \t\tip6 daddr != @unused6 fib daddr type != local return\n\
         \t\ttcp dport @except return\n\
         \t\tip saddr @allow4 return\n\
         \t\tip6 saddr @allow6 return\n\
         \t\tip saddr @deny4 return\n\
         \t\tip6 saddr @deny6 return\n\
         \t\t# Another program listens there, perhaps since later than these rules.\n\
         \t\tsocket transparent 0 return\n\
         \t\t# SYNs a second: of one address (IPv6: of one /56), and of all.\n\
         \t\tadd @syns4 {{ ip saddr limit rate over {SYNS_OF_ONE} }} drop\n\
         \t\tadd @syns6 {{ ip6 saddr & ffff:ffff:ffff:ff00:: limit rate over {SYNS_OF_ONE} }} drop\n\
         \t\tlimit rate over {SYNS_OF_ALL} drop\n\
         {notrack}\
         \t\tmeta mark set {MARK}\n\
         \t}}\n\
         \tchain raw {{\n\
         \t\ttype filter hook prerouting priority raw; policy accept;\n\
         {held}\
         \t\ttcp flags & (fin | syn | rst | ack) == syn jump select\n\
         \t}}\n"
    )
}

/// Directs marked packets to the tarpits, and keeps the answers from being tracked.
fn tproxy(targets: &Targets<'_>) -> String {
    let mut out = String::from(
        "\tchain mangle {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n",
    );
    for target in targets.iter() {
        let ports = ports(target);
        for (at, family, ip) in [(target.v4, "ipv4", "ip"), (target.v6, "ipv6", "ip6")] {
            let Some(at) = at else { continue };
            let place = place(at);
            let _ = writeln!(
                out,
                "\t\tmeta mark {MARK} meta nfproto {family} {ports} tproxy {ip} to {place} accept"
            );
        }
    }
    out.push_str(
        "\t}\n\tchain output {\n\t\ttype filter hook output priority raw; policy accept;\n\
         \t\tmeta l4proto tcp socket transparent 1 notrack\n\t}\n",
    );
    out
}

/// Redirects marked connections to the tarpits.
fn nat(targets: &Targets<'_>) -> String {
    let mut out = String::from(
        "\tchain nat {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n",
    );
    for target in targets.iter() {
        let ports = ports(target);
        for (at, family, ip) in [(target.v4, "ipv4", "ip"), (target.v6, "ipv6", "ip6")] {
            let Some(at) = at else { continue };
            let action = match at.ip() {
                IpAddr::V4(v4) if !v4.is_unspecified() => format!("dnat {ip} to {at}"),
                IpAddr::V6(v6) if !v6.is_unspecified() => format!("dnat {ip} to {at}"),
                _ => format!("redirect to :{}", at.port()),
            };
            let _ = writeln!(out, "\t\tmeta mark {MARK} meta nfproto {family} {ports} {action}");
        }
    }
    out.push_str("\t}\n");
    out
}

/// Which ports a target gets.
fn ports(target: &Target<'_>) -> String {
    match &target.ports {
        None => "meta l4proto tcp".to_owned(),
        Some(ports) => {
            let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
            format!("tcp dport {{ {} }}", ports.join(", "))
        }
    }
}

/// Text of others, which must not end a remark.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
