//! A reader of metrics, as Prometheus is one.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::base::clock;

/// How often it asks: far more often than any Prometheus does.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the metrics at this socket once a second while `during` lasts; returns what that returns.
pub(crate) fn read_during<T>(socket: &Path, during: impl FnOnce() -> Result<T>) -> Result<T> {
    let (over, socket) = (AtomicBool::new(false), PathBuf::from(socket));
    thread::scope(|scope| {
        let reader = scope.spawn(|| -> Result<u32> {
            let mut times = 0;
            while !over.load(Ordering::Relaxed) {
                read(&socket)?;
                times += 1;
                clock::pause(EVERY);
            }
            Ok(times)
        });
        let result = during();
        over.store(true, Ordering::Relaxed);
        let times = reader.join().ok().context("the reader of metrics panicked")??;
        ensure!(times > 0, "the metrics were not read");
        result
    })
}

fn read(socket: &Path) -> Result<()> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("cannot connect to {}", socket.display()))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.contains("tarpitd_clients_held"), "the metrics are missing: {answer}");
    Ok(())
}
