//! A trace of any size, made up: for the tests of the report, and for measuring it.

use std::io::{self, Write};

/// Makes the lines of one client after the other; the same ones every time.
pub(crate) struct MadeTrace {
    state: u64,
    clients: u64,
    /// Those that were opened and not closed as yet.
    open: Vec<(u64, u64)>,
}

/// How many are held at once.
const HELD: usize = 3_000;

/// When the trace begins, in microseconds since 1970.
const BEGIN: u64 = 1_790_000_000_000_000;

impl MadeTrace {
    pub(crate) fn new() -> Self {
        Self { state: 0x9E37_79B9_7F4A_7C15, clients: 0, open: Vec::new() }
    }

    /// Writes so many clients: their opening and what they said, and the end of earlier ones. Every
    /// second one has an address of its own.
    pub(crate) fn write(&mut self, out: &mut impl Write, clients: u64) -> io::Result<()> {
        for _ in 0..clients {
            let client = self.clients;
            self.clients += 1;
            let now = BEGIN + client * 2_000_000 + self.draw() % 1_000_000;
            Self::line(out, now, client, "open", "null", "")?;
            self.open.push((client, now));
            let said = r#"{"expected":true,"data":"b'SSH-'","comment":""}"#;
            Self::line(out, now + 90_000, client, "validate", said, "")?;
            let ident = format!(r#"{{"ssh_ident":"SSH-2.0-libssh_0.{}"}}"#, self.draw() % 20);
            Self::line(out, now + 91_000, client, "learn", &ident, "")?;
            if client.is_multiple_of(3) {
                let user = self.draw() % 60_000 * (self.draw() % 2);
                let guess =
                    format!(r#"{{"user":"user{user}","secret_length":8,"method":"password"}}"#);
                Self::line(out, now + 95_000, client, "learn", &guess, "")?;
            }
            if self.open.len() > HELD {
                let place = (self.draw() % HELD as u64) as usize;
                let (gone, opened) = self.open.swap_remove(place);
                let held = now + 99_000 - opened;
                let end = format!(
                    ",\"duration\":{}.{:06},\"sent\":{},\"received\":61,\"reason\":\"reset\",\
                     \"repeats\":0,\"untold\":0,\"worker_cpu\":0.000120",
                    held / 1_000_000,
                    held % 1_000_000,
                    held / 8_000_000
                );
                Self::line(out, now + 99_000, gone, "close", "{\"request\":\"b''\"}", &end)?;
            }
        }
        Ok(())
    }

    fn line(
        out: &mut impl Write,
        now: u64,
        client: u64,
        event: &str,
        meta: &str,
        end: &str,
    ) -> io::Result<()> {
        let mixed = client.wrapping_mul(0x2545_F491_4F6C_DD1D);
        let host = if client.is_multiple_of(2) { mixed >> 32 } else { 0x0A00_0000 + mixed % 5_000 };
        let [.., a, b, c, d] = host.to_be_bytes();
        let (port, session) = (1_024 + mixed % 60_000, mixed);
        writeln!(
            out,
            "{{\"time\":{}.{:06},\"event\":\"{event}\",\"name\":\"ssh\",\"pattern\":\
             \"ssh_auth_hold\",\"conn_info\":{{\"peername\":[\"{a}.{b}.{c}.{d}\",{port}],\
             \"sockname\":[\"198.51.100.1\",2222]}},\"meta\":{meta},\"session\":\"{session:016x}\"\
             {end}}}",
            now / 1_000_000,
            now % 1_000_000
        )
    }

    /// Numbers that look random (xorshift).
    fn draw(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state >> 11
    }
}
