//! Makes `dist/tarpitd`, one static file, and holds it to its promises: size, start-up, memory.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::running::daemon::{HOST, free_ports};
use crate::running::memory;

use crate::base::workspace::{Workspace, call};
use crate::base::{clock, elf};

const MAX_SIZE: u64 = 8_000_000;
const MAX_START: Duration = Duration::from_millis(50);
const MAX_MEMORY: u64 = 2_000_000;

/// How often the start is measured; odd, so that one of them is the median.
const STARTS: usize = 11;

/// After this long without a client the daemon has settled and its memory is what it idles at.
const SETTLE: Duration = Duration::from_millis(500);

/// Builds, checks and measures; false when a promise is not kept.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let target = host()?;
    let mut build = workspace.cargo();
    build
        .args(["build", "--release", "--package", "tarpitd", "--target", &target])
        // A target named on the command line keeps the flags away from build scripts and procedural
        // macros, which cannot be built that way.
        .env("CARGO_ENCODED_RUSTFLAGS", flags(workspace))
        .env_remove("RUSTFLAGS");
    call(&mut build)?;

    let folder = workspace.root.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let fresh = workspace.target.join(target).join("release/tarpitd");
    let file = folder.join("tarpitd");
    fs::copy(&fresh, &file)
        .with_context(|| format!("cannot copy {} to {}", fresh.display(), file.display()))?;
    println!("{}", file.display());
    measure(&file)
}

/// How the compiler and the linker make the file, as Cargo takes it.
fn flags(workspace: &Workspace) -> String {
    let script = workspace.root.join("xtask/link/no_unwind_tables.ld");
    [
        "-Ctarget-feature=+crt-static",
        "-Clink-arg=-Wl,--no-eh-frame-hdr",
        "-Clink-arg=-T",
        &format!("-Clink-arg={}", script.display()),
    ]
    .join("\u{1f}")
}

fn measure(file: &Path) -> Result<bool> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let is_static = elf::is_static(&bytes)
        .with_context(|| format!("cannot read the program headers of {}", file.display()))?;
    let size = bytes.len() as u64;
    let (start, memory) = (median_start(file)?, idle_memory(file)?);
    let lines = [
        (is_static, format!("static: {}", if is_static { "yes" } else { "no" })),
        (size <= MAX_SIZE, format!("size: {size} bytes, at most {MAX_SIZE}")),
        (
            start <= MAX_START,
            format!(
                "start-up: {:.1} ms, median of {STARTS}, at most {} ms",
                start.as_secs_f64() * 1000.0,
                MAX_START.as_millis()
            ),
        ),
        (
            memory <= MAX_MEMORY,
            format!("private memory when idle: {memory} bytes, at most {MAX_MEMORY}"),
        ),
    ];
    for (kept, line) in &lines {
        println!("{}  {line}", if *kept { "ok  " } else { "FAIL" });
    }
    Ok(lines.iter().all(|(kept, _)| *kept))
}

/// The triple that this machine's rustc builds for, whose standard library is always there.
fn host() -> Result<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("-vV")
        .output()
        .context("cannot run rustc")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}

fn median_start(file: &Path) -> Result<Duration> {
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        starts.push(Started::new(file)?.after);
    }
    starts.sort_unstable();
    Ok(starts[STARTS / 2])
}

fn idle_memory(file: &Path) -> Result<u64> {
    let started = Started::new(file)?;
    clock::pause(SETTLE);
    memory::private(started.child.id())
}

/// A daemon that has accepted a connection; dropped, it ends.
struct Started {
    child: Child,
    /// From the call that started it to the first connection it accepted.
    after: Duration,
}

impl Started {
    fn new(file: &Path) -> Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(5);
        const TICK: Duration = Duration::from_micros(200);

        let port = free_ports(1)?[0];
        let address: SocketAddr = format!("{HOST}:{port}").parse().context("no address")?;
        let begun = clock::now();
        let child = Command::new(file)
            .args(["-s", &format!("endless_banner:{address}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", file.display()))?;
        let mut started = Self { child, after: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = started.child.try_wait().context("cannot wait for tarpitd")? {
                bail!("{} ended at its start with {status}", file.display());
            }
            ensure!(
                clock::now() - begun < PATIENCE,
                "{} did not listen on {address} within {} s",
                file.display(),
                PATIENCE.as_secs()
            );
            clock::pause(TICK);
        }
        started.after = clock::now() - begun;
        Ok(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended of itself, which is what we want here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
