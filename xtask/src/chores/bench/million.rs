//! A million clients, as far as the machine goes: several processes hold them, one port each, and
//! the clients have no sockets.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::programs::{self, EVERY_SECOND, OURS};
use super::{PORT, SPARE, WARM, fill, float, micros, raise_file_limit, warm};
use crate::base::clock;
use crate::base::workspace::{Workspace, call};
use crate::running::crowd::Crowd;
use crate::running::namespace::{Namespace, SERVER};
use crate::running::process::{self, Process};

/// What is held at the defaults: a line now and then, in what all machines can bear.
const SPAN: Duration = Duration::from_secs(60);

/// At one byte a second a million would need a core for each 150,000; at this rate, a tenth of it.
const SETTINGS: &str = "pattern = \"endless_banner\"\nrate_limit = -30";

/// Holds `goal` clients, or as many as it can, and reports; false if it is fewer.
pub(crate) fn run(workspace: &Workspace, goal: usize) -> Result<bool> {
    let files = raise_file_limit()?;
    workspace.build_daemon()?;
    call(workspace.cargo().args(["build", "--release", "--package", "bench"]))?;
    let each = usize::try_from(files.saturating_sub(SPARE)).unwrap_or(usize::MAX).min(19_000);
    let namespace = Namespace::with_tun()?;
    let mut program = EVERY_SECOND[OURS];
    program.maker = programs::Maker::Ours(SETTINGS);
    let mut crowd = Crowd::without_sockets(workspace, &namespace, PORT, program.hello)?;
    let kernel_before = kernel_memory()?;
    let (mut servers, mut empty, mut held) = (Vec::new(), 0, 0);
    let mut took = Duration::ZERO;
    let mut end = "all are held".to_owned();
    for port in PORT.. {
        if held >= goal {
            break;
        }
        let at = SocketAddr::new(SERVER.into(), port);
        let server = match programs::start_in(workspace, Some(&namespace), &program, at, 1) {
            Ok(server) => server,
            Err(error) => {
                end = format!("no further process could be started: {error:#}");
                break;
            }
        };
        crowd.turn_to(port);
        let own = server.files()?;
        let share = each.min(goal - held);
        let count = crowd.opened() + share;
        let filled = warm(&server, &mut crowd).and_then(|memory| {
            empty += memory;
            let began = clock::now();
            let filled = fill(&server, &mut crowd, count);
            took += clock::now() - began;
            filled
        });
        held += usize::try_from(server.files()?.saturating_sub(own)).unwrap_or(usize::MAX);
        servers.push(server);
        println!("  {held} held by {} processes", servers.len());
        if let Err(error) = filled {
            end = format!("no further client was held: {error:#}");
            break;
        }
    }
    let used = || servers.iter().map(Process::cpu).sum::<Result<Duration>>();
    let before = used()?;
    let heard = crowd.hear(SPAN, SPAN)?;
    let cpu = used()?.saturating_sub(before);
    let memory = servers.iter().map(Process::memory).sum::<Result<u64>>()?;
    let clients = float(held as u64);
    let hours = SPAN.as_secs_f64() / 3_600.0 * clients;
    println!("{held} of {goal} clients: {end}");
    println!("  processes                 {}", servers.len());
    println!("  seconds to connect them   {:.0}", took.as_secs_f64());
    println!("  closed within {} s        {}", SPAN.as_secs(), heard.gone);
    let counted = float((held.saturating_sub(WARM * servers.len())) as u64);
    println!("  user memory a client      {:.0} B", (float(memory) - float(empty)) / counted);
    let kernel = float(kernel_memory()?.saturating_sub(kernel_before));
    println!("  kernel's slab a client    {:.0} B", kernel / clients);
    println!("  CPU a held client-hour    {:.2} ms", micros(cpu) / 1_000.0 / hours);
    println!("  CPU a send                {:.1} us", micros(cpu) / float(heard.reads));
    Ok(held >= goal && heard.gone == 0)
}

/// Bytes in the kernel's slabs, the whole machine's.
fn kernel_memory() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    Ok(process::field(&text, "Slab:").unwrap_or(0) * 1_024)
}
