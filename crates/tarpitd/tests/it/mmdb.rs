//! A writer of small databases of countries, cities and autonomous systems (.mmdb), for tests.

use std::{collections::BTreeMap, net::IpAddr};

/// A value of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    List,
    Long(u64),
    Map(Vec<(&'static str, Value)>),
    Number(u32),
    Short(u16),
    Text(&'static str),
}

/// A record of a database of cities.
pub(crate) fn city(country: &'static str, name: &'static str) -> Value {
    let map = |key, value| Value::Map(vec![(key, value)]);
    let names = map("en", Value::Text(name));
    Value::Map(vec![
        ("city", map("names", names)),
        ("country", map("iso_code", Value::Text(country))),
    ])
}

/// A record of a database of autonomous systems.
pub(crate) fn asn(number: u32, name: &'static str) -> Value {
    Value::Map(vec![
        ("autonomous_system_number", Value::Number(number)),
        ("autonomous_system_organization", Value::Text(name)),
    ])
}

/// What a branch of the tree leads to.
#[derive(Clone, Copy)]
enum Branch {
    Data(usize),
    Node(usize),
    Nothing,
}

/// A database of this type, with a record for each network. IPv4 networks stand at `::/96`.
pub(crate) fn database(kind: &'static str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let (mut data, mut places) = (Vec::new(), BTreeMap::new());
    for (network, value) in networks {
        let place = *places.entry(value.clone()).or_insert_with(|| {
            let place = data.len();
            write(value, &mut data);
            place
        });
        let (address, length) = network.split_once('/').expect("a network");
        let length: u32 = length.parse().expect("a length");
        let (bits, length) = match address.parse().expect("an address") {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 96 + length),
            IpAddr::V6(ip) => (ip.to_bits(), length),
        };
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = Branch::Data(place);
            } else if let Branch::Node(next) = nodes[node][side] {
                node = next;
            } else {
                // What held for the whole network still holds for the rest of it.
                let before = nodes[node][side];
                nodes.push([before; 2]);
                nodes[node][side] = Branch::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
    }
    let count = u32::try_from(nodes.len()).expect("a small tree");
    let mut bytes = Vec::new();
    for branch in nodes.iter().flatten() {
        let record = match branch {
            Branch::Data(place) => count + 16 + u32::try_from(*place).expect("little data"),
            Branch::Node(node) => u32::try_from(*node).expect("a small tree"),
            Branch::Nothing => count,
        };
        bytes.extend(record.to_be_bytes());
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xAB\xCD\xEFMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_795_333_948)),
        ("database_type", Value::Text(kind)),
        ("description", Value::Map(vec![("en", Value::Text("of a test"))])),
        ("ip_version", Value::Short(6)),
        ("languages", Value::List),
        ("node_count", Value::Number(count)),
        ("record_size", Value::Short(32)),
    ]);
    write(&metadata, &mut bytes);
    bytes
}

/// Appends a value: its type and size, then its bytes.
fn write(value: &Value, out: &mut Vec<u8>) {
    let mut head = |kind: u8, size: usize| {
        let (short, more) = match size {
            0..29 => (size as u8, None),
            _ => (29, Some(u8::try_from(size - 29).expect("a short value"))),
        };
        // Types above 7 stand in a byte of their own.
        if kind > 7 {
            out.extend([short, kind - 7]);
        } else {
            out.push(kind << 5 | short);
        }
        out.extend(more);
    };
    match value {
        Value::List => head(11, 0),
        Value::Long(number) => {
            head(9, 8);
            out.extend(number.to_be_bytes());
        }
        Value::Map(entries) => {
            head(7, entries.len());
            for (key, value) in entries {
                write(&Value::Text(key), out);
                write(value, out);
            }
        }
        Value::Number(number) => {
            head(6, 4);
            out.extend(number.to_be_bytes());
        }
        Value::Short(number) => {
            head(5, 2);
            out.extend(number.to_be_bytes());
        }
        Value::Text(text) => {
            head(2, text.len());
            out.extend(text.as_bytes());
        }
    }
}
