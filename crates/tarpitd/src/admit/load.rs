//! One worker's load: its budgets, what it spends, and the load level that follows.

use std::time::Duration;

use tarpit_proto::{
    handshake_budget::{HandshakeBudget, LoadLevel},
    time::Time,
};

use crate::{
    admit::{
        cpu::{CpuLoad, CpuNews},
        egress::{EgressBudget, EgressNews, Spent},
    },
    os::clock::Clock,
    report::log::Log,
};

/// The most that one worker may spend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Its share of what may be sent in a second and in a day; 0: no cap.
    pub(crate) egress: u64,
    pub(crate) egress_per_day: u64,
    /// Its share of the handshakes a second; 0: no cap.
    pub(crate) handshakes: u32,
    /// Its share of the handshakes of TLS that may be under way at a time.
    pub(crate) handshakes_under_way: u32,
    /// The most of a core that it may use, in percent; 0: no cap.
    pub(crate) cpu: u32,
}

/// What one worker may spend, and the load level that follows.
#[derive(Debug)]
pub(crate) struct Load {
    egress: EgressBudget,
    cpu: CpuLoad,
    /// Knows the load level, since the sessions ask it.
    pub(crate) handshakes: HandshakeBudget,
    /// When the log last said that handshakes are short.
    shortage_told: Option<Time>,
}

/// How often the log repeats a shortage of handshakes that lasts.
const SHORTAGE: Duration = Duration::from_secs(10 * 60);

impl Load {
    /// No load yet.
    pub(crate) fn new(bounds: Bounds, clock: Clock) -> Self {
        let now = clock.now();
        Self {
            egress: EgressBudget::new(bounds.egress, bounds.egress_per_day, now),
            cpu: CpuLoad::new(bounds.cpu, now, clock.used()),
            handshakes: HandshakeBudget::new(bounds.handshakes, now)
                .with_under_way(bounds.handshakes_under_way),
            shortage_told: None,
        }
    }

    /// Puts other bounds in force.
    pub(crate) fn set(&mut self, bounds: Bounds, now: Time) {
        self.egress.set(bounds.egress, bounds.egress_per_day, now);
        self.cpu.set(bounds.cpu);
        self.handshakes.set(bounds.handshakes, now);
    }

    /// Goes on from what an earlier daemon has spent of the day's bytes.
    pub(crate) fn go_on(&mut self, spent: Spent, now: Time) {
        self.egress.go_on(spent, now);
    }

    /// What was spent of the day's bytes, if they have a cap.
    pub(crate) fn spent(&self, now: Time) -> Option<Spent> {
        self.egress.spent(now)
    }

    /// Sets the load level at `now`, and what may be spent until the next call.
    pub(crate) fn judge(&mut self, now: Time, clock: Clock, log: &Log) {
        if self.cpu.is_due(now) {
            self.cpu.look(now, clock.used());
        }
        let level = self.cpu.level().max(self.egress.load_level(now));
        self.handshakes.press(level);
        self.handshakes.earn(now);
        if let Some(news) = self.cpu.news() {
            tell_cpu(news, log);
        }
        self.tell_handshakes(now, log);
    }

    /// How many of `wanted` bytes may be sent to a client now. They are taken from the budget.
    pub(crate) fn spend(&mut self, wanted: usize, now: Time, log: &Log) -> usize {
        let (allowed, news) = self.egress.allow(now, wanted);
        if let Some(news) = news {
            tell_egress(news, log);
        }
        self.egress.spend(allowed);
        allowed
    }

    /// Takes bytes from the budget that are sent in any case.
    pub(crate) fn overspend(&mut self, bytes: usize) {
        self.egress.spend(bytes);
    }

    /// Puts back bytes that could not be sent.
    pub(crate) fn put_back(&mut self, bytes: usize) {
        self.egress.put_back(bytes);
    }

    /// The load level in force.
    pub(crate) fn level(&self) -> LoadLevel {
        self.handshakes.load_level()
    }

    fn tell_handshakes(&mut self, now: Time, log: &Log) {
        let is_crowded = self.handshakes.crowded() > 0;
        let is_short = self.handshakes.denied() > 0 || is_crowded;
        if !is_short || self.level() >= LoadLevel::Plain {
            return;
        }
        let told = self.shortage_told.replace(now);
        if told.is_none_or(|told| now.since(told) >= SHORTAGE) {
            let what = if is_crowded {
                "too many TLS handshakes are under way: further clients are held without one \
                 until others complete or time out"
            } else {
                "[limits] handshakes_per_second is reached: further clients are held without a \
                 key exchange; raise it if this happens often"
            };
            log.warning(format_args!("{what}"));
        }
    }
}

fn tell_cpu(news: CpuNews, log: &Log) {
    match news {
        CpuNews::Above => log.warning(format_args!(
            "CPU use is above [limits] cpu: tarpitd reads less from clients that send a lot, then \
             slows its paces down, then begins no key exchange, then sends nothing, then refuses \
             new clients, one step every 10 seconds until CPU use is lower"
        )),
        CpuNews::Below => log.notice(format_args!("CPU use is back below [limits] cpu")),
    }
}

fn tell_egress(news: EgressNews, log: &Log) {
    match news {
        EgressNews::Exhausted => log.warning(format_args!(
            "egress limit reached: clients are held in silence until it allows sending again; \
             raise [limits] egress or egress_per_day if this happens often"
        )),
        EgressNews::Recovered => {
            log.notice(format_args!("the egress limit allows sending again"));
        }
    }
}
