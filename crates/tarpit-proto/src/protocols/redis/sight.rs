//! What a Redis client says first.

use crate::{
    base::news::Event,
    wire::sighting::{LONGEST_LINE, Sighting, auth, either, prefix, verb},
};

/// Inline commands by which worms and scanners are told from clients of other protocols.
const SURE: &[&[u8]] = &[
    b"CLIENT",
    b"COMMAND",
    b"CONFIG",
    b"ECHO",
    b"FLUSHALL",
    b"INFO",
    b"KEYS",
    b"PING",
    b"SELECT",
    b"SLAVEOF",
];

/// Further inline commands. Other protocols and people say some of these words, too.
const LIKELY: &[&[u8]] = &[
    b"ACL",
    b"APPEND",
    b"BGREWRITEAOF",
    b"BGSAVE",
    b"CLUSTER",
    b"DBSIZE",
    b"DEBUG",
    b"DEL",
    b"DISCARD",
    b"DUMP",
    b"EVAL",
    b"EVALSHA",
    b"EXEC",
    b"EXISTS",
    b"EXPIRE",
    b"FCALL",
    b"FLUSHDB",
    b"FUNCTION",
    b"GETSET",
    b"HELLO",
    b"HGETALL",
    b"HSET",
    b"INCR",
    b"LASTSAVE",
    b"LATENCY",
    b"LPUSH",
    b"LRANGE",
    b"MEMORY",
    b"MGET",
    b"MIGRATE",
    b"MODULE",
    b"MONITOR",
    b"MSET",
    b"MULTI",
    b"OBJECT",
    b"PSUBSCRIBE",
    b"PSYNC",
    b"QUIT",
    b"RANDOMKEY",
    b"REPLCONF",
    b"REPLICAOF",
    b"RESET",
    b"RESTORE",
    b"ROLE",
    b"RPUSH",
    b"SADD",
    b"SAVE",
    b"SCAN",
    b"SCRIPT",
    b"SET",
    b"SETEX",
    b"SETNX",
    b"SHUTDOWN",
    b"SLOWLOG",
    b"SMEMBERS",
    b"SWAPDB",
    b"SYNC",
    b"TIME",
    b"TTL",
    b"TYPE",
    b"UNLINK",
    b"WAIT",
    b"ZADD",
];

/// Where Redis is expected: whatever says that it is an array, which a server answers even if it is
/// none, or a known command on a line. Like a server it passes over empty lines in front.
pub(super) fn expected(bytes: &[u8]) -> Sighting {
    let seen = &bytes[..bytes.len().min(LONGEST_LINE)];
    let words = seen.trim_ascii_start();
    let inline = || either(either(verb(words, SURE), verb(words, LIKELY)), login(words));
    match words {
        // As much of it as the trace shows is waited for.
        [b'*', ..] if seen.len() < Event::SHOWN && !words.contains(&b'\n') => Sighting::Incomplete,
        [b'*', ..] => Sighting::Matches,
        _ => match if words.is_empty() { Sighting::Incomplete } else { inline() } {
            // Nothing that follows is looked at.
            Sighting::Incomplete if seen.len() == LONGEST_LINE => Sighting::Differs,
            sighting => sighting,
        },
    }
}

/// Where other protocols may be spoken, too: an array of bulk strings, or a command on a line that
/// is of no other protocol.
pub(super) fn among_others(bytes: &[u8]) -> Sighting {
    let array = match bytes.split_first() {
        Some((b'*', rest)) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match digits {
                0 if rest.is_empty() => Sighting::Incomplete,
                1..=7 => prefix(&rest[digits..], b"\r\n$"),
                _ => Sighting::Differs,
            }
        }
        _ => Sighting::Differs,
    };
    either(array, either(verb(bytes, SURE), login(bytes)))
}

/// A guess on a line.
fn login(bytes: &[u8]) -> Sighting {
    auth(bytes, |word| !word.is_empty())
}
