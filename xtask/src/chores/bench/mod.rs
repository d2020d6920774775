//! The benchmark: ours beside a floor and beside every peer, in turn, on this machine.
//!
//! A figure alone says little, since machines differ and are busy with other things: what counts is
//! the ratio to another program in the same run. Every run starts each program anew.

mod figures;
mod million;
pub(crate) mod programs;
mod steps;

pub(crate) use million::run as hold;
pub(crate) use steps::table as steps;

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::clock;
use crate::base::workspace::{Workspace, call};
use crate::running::crowd::Crowd;
use crate::running::namespace::{Namespace, SERVER, SERVER_V6};
use crate::running::process::{self, Process};
use crate::running::reader::read_during;
use figures::{Figures, What};
use programs::{BY_DEFAULT, EVERY_SECOND, IDLE, MEMORY, OURS, Program, READ, SSH_TARPIT, STORM};

/// What to measure.
pub(crate) struct Plan {
    /// How many clients are held.
    pub(crate) clients: usize,
    /// How often everything is measured.
    pub(crate) runs: usize,
    /// Short spans: shows that it works; its figures are rough.
    pub(crate) quick: bool,
    /// Only programs whose name contains one of these; empty for all.
    pub(crate) only: Vec<String>,
}

/// The fewer clients, to see whether the price of one grows with their number.
const FEW: usize = 1_000;

/// How many clients are held by several processes, where one may not open so many files.
const ALL: usize = 100_000;
const PROCESSES: usize = 6;

/// How often the metrics are read for a while, and then not.
const TURNS: usize = 3;

/// The first clients bring in what is there once for all of them, pages of the program above all.
/// They are held before anything is measured, and not counted.
const WARM: usize = 64;

/// Files of a process that are not clients.
const SPARE: u64 = 100;

const SECOND: Duration = Duration::from_secs(1);

impl Plan {
    /// For how long sends of one second are counted.
    fn span(&self) -> Duration {
        SECOND * if self.quick { 3 } else { 6 }
    }

    fn picks(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// The command that measures this.
    fn command(&self) -> String {
        let mut command =
            format!("cargo xtask bench --clients {} --runs {}", self.clients, self.runs);
        if self.quick {
            command += " --quick";
        }
        for part in &self.only {
            // In quotes, since names have blanks in them.
            command += " --only '";
            command += part;
            command += "'";
        }
        command
    }
}

/// For how long programs are watched at their defaults: a whole number of the intervals of 8 and of
/// 10 seconds that most of them have, so that none is caught with a send more or less.
const LONG_SPAN: Duration = Duration::from_secs(40);

/// Measures it all, prints the tables, and writes them to `write` as well.
pub(crate) fn run(workspace: &Workspace, plan: &Plan, write: Option<&Path>) -> Result<bool> {
    let files = raise_file_limit()?;
    if plan.clients as u64 > files.saturating_sub(SPARE) {
        bail!("a process may open {files} files; ask for at most {}", files.saturating_sub(SPARE));
    }
    workspace.build_daemon()?;
    call(workspace.cargo().args(["build", "--release", "--package", "bench"]))?;
    programs::install(workspace);

    let bench = Bench { workspace, plan };
    let mut figures = Figures::default();
    for run in 1..=plan.runs {
        println!("run {run} of {} (load {})", plan.runs, load());
        let programs = from(&EVERY_SECOND, run).filter(|it| plan.picks(it.name));
        for program in programs.clone() {
            bench.attempt(program.name, bench.every_second(program, &mut figures));
        }
        for program in programs.filter(|it| it.most.is_none() && it.maker != SSH_TARPIT) {
            let name = format!("{}, sending half", program.name);
            bench.attempt(&name, bench.sending(program, &mut figures));
        }
        if plan.picks("tarpitd") && plan.clients >= ALL / PROCESSES {
            bench.attempt("several processes", bench.several(&mut figures));
        }
        if plan.picks(READ.name) {
            bench.attempt(READ.name, bench.read(&mut figures));
        }
        for program in MEMORY.iter().filter(|it| plan.picks(it.name)) {
            bench.attempt(program.name, bench.memory(program, &mut figures));
        }
        if plan.picks(STORM.name) {
            bench.attempt("accept", bench.storm(&mut figures));
            bench.attempt("accept with two workers", bench.share(&mut figures));
        }
        if plan.picks(IDLE.name) {
            bench.attempt("idle", bench.idle(&mut figures));
        }
        for program in from(&BY_DEFAULT, run).filter(|it| plan.picks(it.name)) {
            bench.attempt(program.name, bench.by_default(program, &mut figures));
        }
        // After each run, so that one that is broken off leaves something.
        let tables = figures.tables(FEW, plan.clients);
        println!("\n{tables}");
        if let Some(path) = write {
            let page = page(workspace, plan, run, &tables)?;
            fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(true)
}

/// All of `programs`, another one first in each run: what the one before leaves behind in the
/// kernel's memory shall not always meet the same.
fn from(
    programs: &'static [Program],
    run: usize,
) -> impl Iterator<Item = &'static Program> + Clone {
    programs.iter().cycle().skip(run - 1).take(programs.len())
}

struct Bench<'a> {
    workspace: &'a Workspace,
    plan: &'a Plan,
}

impl Bench<'_> {
    /// What cannot be measured is said, and the rest goes on.
    #[expect(clippy::unused_self, reason = "reads as what it is: an attempt of this benchmark")]
    fn attempt(&self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => println!("  {name}: done"),
            Err(error) => println!("  {name}: not measured: {error:#}"),
        }
    }

    /// One send a second to each: what a send costs, with few clients and with many.
    fn every_second(&self, program: &Program, figures: &mut Figures) -> Result<()> {
        let (server, mut crowd) = self.start(program, free(false)?)?;
        let empty = match program.most {
            None => warm(&server, &mut crowd)?,
            Some(_) => 0,
        };
        for (count, memory, send) in [
            (FEW, What::MemoryFew, What::SendFew),
            (self.plan.clients, What::MemoryMany, What::SendMany),
        ] {
            let count = program.most.map_or(count, |most| count.min(most));
            fill(&server, &mut crowd, count)?;
            // Past the first lines, and past what the crowd did not hear meanwhile.
            crowd.hear(SECOND * 2, SECOND)?;
            let before = server.cpu()?;
            let heard = crowd.hear(self.plan.span(), SECOND)?;
            let cpu = server.cpu()?.saturating_sub(before);
            if heard.gone > 0 {
                bail!("it let {} of {count} clients go", heard.gone);
            }
            let wanted = count as u64 * self.plan.span().as_secs();
            if heard.reads < wanted * 7 / 10 {
                bail!("it sent {} times in {} s", heard.reads, self.plan.span().as_secs());
            }
            figures.add(send, program.name, micros(cpu) / float(heard.reads));
            if program.most.is_none() {
                figures.add(memory, program.name, per_client(&server, empty, count)?);
            }
        }
        Ok(())
    }

    /// What a send costs without the receiving half, with few clients and with many.
    fn sending(&self, program: &Program, figures: &mut Figures) -> Result<()> {
        let namespace = Namespace::with_tun()?;
        let at = SocketAddr::new(SERVER.into(), PORT);
        let server = programs::start_in(self.workspace, Some(&namespace), program, at, 1)?;
        let mut crowd = Crowd::without_sockets(self.workspace, &namespace, PORT, program.hello)?;
        for (count, what) in [(FEW, What::TunFew), (self.plan.clients, What::TunMany)] {
            fill(&server, &mut crowd, count)?;
            let cost = self.send_cost(&[&server], &mut crowd, count)?;
            figures.add(what, program.name, cost);
        }
        Ok(())
    }

    /// What a client and a send cost when several processes hold more than one could.
    fn several(&self, figures: &mut Figures) -> Result<()> {
        let namespace = Namespace::with_tun()?;
        let program = &EVERY_SECOND[OURS];
        let mut crowd = Crowd::without_sockets(self.workspace, &namespace, PORT, program.hello)?;
        let (mut servers, mut empty) = (Vec::new(), 0);
        for port in (PORT..).take(PROCESSES) {
            let at = SocketAddr::new(SERVER.into(), port);
            let server = programs::start_in(self.workspace, Some(&namespace), program, at, 1)?;
            crowd.turn_to(port);
            empty += warm(&server, &mut crowd)?;
            let share = (ALL - crowd.opened()) / (PROCESSES - servers.len());
            let count = crowd.opened() + share;
            fill(&server, &mut crowd, count)?;
            servers.push(server);
        }
        let servers: Vec<_> = servers.iter().collect();
        let cost = self.send_cost(&servers, &mut crowd, ALL)?;
        figures.add(What::TunAll, program.name, cost);
        let memory = servers.iter().map(|server| server.memory()).sum::<Result<u64>>()?;
        let each = (float(memory) - float(empty)) / float((ALL - PROCESSES * WARM) as u64);
        figures.add(What::MemoryAll, program.name, each);
        Ok(())
    }

    /// Microseconds of the servers' time for each send to one of `count` clients, a second apart.
    fn send_cost(&self, servers: &[&Process], crowd: &mut Crowd, count: usize) -> Result<f64> {
        let used = || servers.iter().map(|server| server.cpu()).sum::<Result<Duration>>();
        crowd.hear(SECOND * 2, SECOND)?;
        let before = used()?;
        let heard = crowd.hear(self.plan.span(), SECOND)?;
        let cpu = used()?.saturating_sub(before);
        if heard.gone > 0 {
            bail!("{} of {count} clients were closed", heard.gone);
        }
        let wanted = count as u64 * self.plan.span().as_secs();
        if heard.reads < wanted * 7 / 10 {
            bail!("there were {} sends in {} s", heard.reads, self.plan.span().as_secs());
        }
        Ok(micros(cpu) / float(heard.reads))
    }

    /// What a send costs while the metrics are read every second, and while they are not: by turns,
    /// of the same clients.
    fn read(&self, figures: &mut Figures) -> Result<()> {
        let (server, mut crowd) = self.start(&READ, free(false)?)?;
        let metrics = programs::metrics(self.workspace)?;
        let count = self.plan.clients;
        fill(&server, &mut crowd, count)?;
        for _ in 0..TURNS {
            let cost = self.send_cost(&[&server], &mut crowd, count)?;
            figures.add(What::SendUnread, READ.name, cost);
            let cost = || self.send_cost(&[&server], &mut crowd, count);
            figures.add(What::SendRead, READ.name, read_during(&metrics, cost)?);
        }
        Ok(())
    }

    /// What we keep for a client that is held as the pattern holds it, over IPv4 and over IPv6.
    fn memory(&self, program: &Program, figures: &mut Figures) -> Result<()> {
        for v6 in [false, true] {
            let namespace = if v6 { Some(Namespace::with_v6()?) } else { None };
            let (server, mut crowd) = match &namespace {
                None => self.start(program, free(false)?)?,
                Some(namespace) => {
                    let at = SocketAddr::new(SERVER_V6.into(), PORT);
                    let server =
                        programs::start_in(self.workspace, Some(namespace), program, at, 1)?;
                    let crowd = Crowd::start_in(self.workspace, namespace, at, program.hello)?;
                    (server, crowd)
                }
            };
            let name = if v6 { over_v6(program.name) } else { program.name };
            let empty = warm(&server, &mut crowd)?;
            for (count, memory) in [(FEW, What::MemoryFew), (self.plan.clients, What::MemoryMany)] {
                fill(&server, &mut crowd, count)?;
                crowd.hear(SECOND * 3, SECOND)?;
                figures.add(memory, name, per_client(&server, empty, count)?);
            }
        }
        Ok(())
    }

    /// What holding costs at each program's defaults.
    fn by_default(&self, program: &Program, figures: &mut Figures) -> Result<()> {
        let (server, mut crowd) = self.start(program, free(false)?)?;
        let count = program.most.map_or(self.plan.clients, |most| self.plan.clients.min(most));
        fill(&server, &mut crowd, count)?;
        // Where sends are far apart, a part of an interval is let pass and one is watched: then
        // each client is sent one.
        let (rest, span) = match program.interval {
            Some(seconds) => (SECOND * seconds / 4, SECOND * seconds),
            None => (SECOND * 5, LONG_SPAN),
        };
        crowd.hear(rest, SECOND)?;
        let (before, began) = (server.cpu()?, clock::now());
        let heard = crowd.hear(span, SECOND)?;
        let cpu = server.cpu()?.saturating_sub(before);
        let hours = (clock::now() - began).as_secs_f64() / 3_600.0 * float(count as u64);
        if heard.gone > 0 {
            bail!("it let {} of {} clients go", heard.gone, count);
        }
        figures.add(What::CpuHour, program.name, micros(cpu) / 1_000.0 / hours);
        figures.add(What::BytesHour, program.name, float(heard.bytes) / hours);
        Ok(())
    }

    /// How long a storm takes, and how late the drips of those already held become meanwhile.
    fn storm(&self, figures: &mut Figures) -> Result<()> {
        let held = FEW.min(self.plan.clients) / 2;
        let at = free(false)?;
        let (server, mut already) = self.start(&STORM, at)?;
        fill(&server, &mut already, held)?;
        already.hear(SECOND * 3, SECOND)?;
        let mut storm = Crowd::start(self.workspace, at, STORM.hello, held)?;
        already.begin_to_hear(SECOND * 6, SECOND)?;
        let rest = self.plan.clients.min(19_900 - held);
        let seconds = time_to_hold(&server, &mut storm, rest)?;
        let heard = already.heard()?;
        if heard.gone > 0 {
            bail!("{} of the held clients were closed", heard.gone);
        }
        figures.add(What::AcceptSeconds, "tarpitd", seconds);
        figures.add(What::Late, "tarpitd", heard.late.as_secs_f64());
        Ok(())
    }

    /// What part of a storm the less busy of two workers gets.
    fn share(&self, figures: &mut Figures) -> Result<()> {
        let at = free(false)?;
        let server = programs::start(self.workspace, &STORM, at, 2)?;
        let mut crowd = Crowd::start(self.workspace, at, STORM.hello, 0)?;
        let seconds = time_to_hold(&server, &mut crowd, self.plan.clients)?;
        let watched = server.watched()?;
        // Each worker watches its clients; its listener and waker do not count beside them.
        let [.., least, most] = watched[..] else { bail!("there are no two workers") };
        figures.add(What::AcceptSeconds, "tarpitd, 2 workers", seconds);
        figures.add(What::Share, "tarpitd", 100.0 * float(least) / float(least + most));
        Ok(())
    }

    /// What it costs to wait: for anybody at all, and for silent clients.
    fn idle(&self, figures: &mut Figures) -> Result<()> {
        let (server, mut crowd) = self.start(&IDLE, free(false)?)?;
        clock::pause(SECOND * 2);
        let before = server.waits()?;
        clock::pause(SECOND * 10);
        figures.add(What::IdleWaits, "idle", float(server.waits()?.saturating_sub(before)));
        fill(&server, &mut crowd, FEW)?;
        // Past the patience with which a first word is waited for.
        clock::pause(SECOND * 5);
        let before = server.cpu()?;
        clock::pause(self.plan.span());
        let cpu = server.cpu()?.saturating_sub(before);
        let percent = 100.0 * cpu.as_secs_f64() / self.plan.span().as_secs_f64();
        figures.add(What::IdleCpu, "idle", percent);
        Ok(())
    }

    fn start(&self, program: &Program, at: SocketAddr) -> Result<(Process, Crowd)> {
        let server = programs::start(self.workspace, program, at, 1)?;
        clock::pause(SECOND / 2);
        let crowd = Crowd::start(self.workspace, at, program.hello, 0)?;
        Ok((server, crowd))
    }
}

/// The port of servers in a namespace of their own; others follow it.
const PORT: u16 = 2_222;

/// Connects until `count` clients are held, at a pace that the server can follow: a connection that
/// its queue has no room for would come seconds later.
fn fill(server: &Process, crowd: &mut Crowd, count: usize) -> Result<()> {
    const BATCH: usize = 64;

    // What the program has open before.
    let (own, opened) = (server.files()?, crowd.opened());
    let mut deadline = clock::now() + SECOND * 20;
    while crowd.opened() < count {
        crowd.open(BATCH.min(count - crowd.opened()))?;
        let more = (crowd.opened() - opened) as u64;
        while server.files()? < own + more {
            if clock::now() > deadline {
                bail!("of {more} clients it holds only {}", server.files()?.saturating_sub(own));
            }
            clock::pause(Duration::from_millis(1));
        }
        deadline = clock::now() + SECOND * 20;
    }
    Ok(())
}

/// Seconds from the first of `count` calls until all are held.
fn time_to_hold(server: &Process, crowd: &mut Crowd, count: usize) -> Result<f64> {
    let goal = server.files()? + count as u64;
    let began = clock::now();
    crowd.begin_to_open(count)?;
    while server.files()? < goal {
        if clock::now() > began + SECOND * 30 {
            bail!("{} clients are not held after 30 s", goal - server.files()?);
        }
        clock::pause(Duration::from_millis(5));
    }
    let seconds = (clock::now() - began).as_secs_f64();
    crowd.have_opened()?;
    Ok(seconds)
}

/// A port that nobody has at the moment.
pub(crate) fn free(v6: bool) -> Result<SocketAddr> {
    let ip: IpAddr = if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    let listener = TcpListener::bind((ip, 0)).context("cannot bind a port on loopback")?;
    listener.local_addr().context("a bound port has no address")
}

/// Lets this process and its children open as many files as they may; says how many.
pub(crate) fn raise_file_limit() -> Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of open files")?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// Holds the first clients; what the server takes then.
fn warm(server: &Process, crowd: &mut Crowd) -> Result<u64> {
    fill(server, crowd, crowd.opened() + WARM)?;
    crowd.hear(SECOND * 3, SECOND)?;
    server.memory()
}

fn per_client(server: &Process, empty: u64, count: usize) -> Result<f64> {
    Ok((float(server.memory()?) - float(empty)) / float((count - WARM) as u64))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

fn over_v6(name: &str) -> &'static str {
    match name {
        "endless_banner" => "endless_banner (IPv6)",
        "ssh_trans_hold" => "ssh_trans_hold (IPv6)",
        _ => "http_endless_header (IPv6)",
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The tables with what a reader needs to judge them and to make them again.
fn page(workspace: &Workspace, plan: &Plan, runs: usize, tables: &str) -> Result<String> {
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let done = if runs == plan.runs {
        String::new()
    } else {
        format!(" It is not at its end: {runs} of {} runs are done.", plan.runs)
    };
    let mut commands = String::new();
    for program in EVERY_SECOND.iter().chain(&BY_DEFAULT).chain([&STORM, &IDLE]) {
        // Writing to a string cannot fail.
        let _ = writeln!(commands, "| {} | `{}` |", program.name, program.words);
    }
    // The load is the benchmark's, before anything else is done.
    let machine = machine()?;
    let steps = match done.as_str() {
        "" => steps(workspace).unwrap_or_else(|why| format!("Not measured: {why:#}.\n")),
        _ => String::from("They are counted at the end.\n"),
    };
    Ok(format!(
        "# Performance\n\n\
         Made on {date} by\n\n    {} --write docs/performance.md\n\n\
         on {}.{done} All programs ran one after the other, {} each, and each run began with \
         another program. The figures are medians. Ratios are medians of the ratios of each run. \
         They say more than the figures, since the machine does other things, too. CPU is the \
         time of the whole process as the kernel counts it, on loopback, where it includes the \
         receiving half of TCP. Where the table says \"sending half\", the clients are behind a \
         TUN device and have no sockets, so the time covers sending only. \
         Memory is private memory (`Anonymous` and `Swap` of `smaps_rollup`), what n clients \
         take above the first {WARM}, divided by n - {WARM}: the first {WARM} load what all clients \
         share. tarpitd's trace was on. A missing line could not be measured.\n\n{tables}\n\
         ## What ran\n\n| program | command or setting |\n|---|---|\n{commands}\n\
         ## Instructions\n\n    cargo xtask bench --steps\n\n\
         counts what the core itself does, under valgrind's callgrind: the same at each run of one \
         build.\n\n{steps}\n\
         ## A million\n\n    cargo xtask bench --hold 1000000\n\n\
         holds a million clients by several processes, or as many as the machine can, and says what \
         ended it.\n",
        plan.command(),
        machine,
        if runs == 1 { "once".to_owned() } else { format!("{runs} times") },
    ))
}

/// What this machine is.
fn machine() -> Result<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("no kernel's release")?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processors = fs::read_to_string("/proc/cpuinfo").context("no word of the processor")?;
    let model = processors
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("of a kind that it does not tell", |(_, model)| model);
    let memory = fs::read_to_string("/proc/meminfo").context("no word of the memory")?;
    let memory = process::field(&memory, "MemTotal:").context("no size of the memory")?;
    Ok(format!(
        "a machine with {cores} cores ({model}), {} GiB of memory and Linux {}, its load {} at the \
         end",
        memory.div_ceil(1 << 20),
        kernel.trim(),
        load()
    ))
}
