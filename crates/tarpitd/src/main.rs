//! A network tarpit.

mod admission;
mod budget;
mod clock;
mod config;
mod daemon;
mod engine;
mod listener;
mod live;
mod log;
mod privileges;
mod record;
mod slab;
mod sys;
mod totals;
mod trace;
mod wheel;
mod writer;

fn main() -> std::process::ExitCode {
    use std::num::{NonZeroU32, NonZeroUsize};
    let bind = std::env::args().skip(2).map(|a| a.parse().unwrap()).collect();
    let config = config::Config {
        workers: NonZeroUsize::MIN,
        state_dir: None,
        user: None,
        persona: tarpit_proto::persona::Persona::DEFAULT,
        tarpits: vec![config::Tarpit {
            name: "cli_0".into(),
            pattern: tarpit_proto::patterns::named(&std::env::args().nth(1).unwrap()).unwrap(),
            bind,
            rate: std::env::var("R")
                .ok()
                .and_then(|r| tarpit_proto::pacer::Rate::from_number(r.parse().unwrap())),
            max_clients: None,
            client_validation: true,
            client_trace: true,
        }],
        limits: config::Limits {
            clients: config::ClientLimit::FileLimit,
            per_address: NonZeroU32::new(0),
            per_prefix: NonZeroU32::new(0),
            egress: None,
            egress_per_day: None,
        },
        logging: config::Logging {
            main: config::Sink::Stderr,
            level: config::Level::Warning,
            client_trace: config::Sink::Stdout,
        },
        keep_going: false,
        warnings: vec![],
    };
    daemon::run(config, None, "")
}
