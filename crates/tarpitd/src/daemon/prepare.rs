//! Everything that can be refused before the first client is served. A start and `check` judge it
//! alike: a start keeps what it opens, `check` changes nothing.

use rustix::process::{Gid, Uid};
use tarpit_proto::script::Profile;

use super::{
    activated::Activated,
    confinement,
    files::Files,
    geoip,
    hand_over::take::Inherited,
    logging,
    ports::{self, Opened},
    same_file,
    surfaces::{self, OpenedSurface},
    targets::{look_at_both, open_both, rotations},
    user::numbers,
};
use crate::{
    admin::metrics::saved::Store,
    keys::{
        identity::Identity,
        state_dir::{StateDir, Touch},
    },
    os::{clock::Clock, login, privileges},
    report::{
        anonymize::{Anonymizer, Key},
        geoip::Geoip,
        target::Target,
    },
    settings::{
        Anonymize, Settings, TraceFormat,
        finding::{Finding, Gravity, in_order},
    },
};

/// Everything that is ready, and the findings. Anything missing has its reason among them.
pub(super) struct Prepared {
    pub(super) parts: Parts,
    identity: Option<Identity>,
    profiles: Option<Vec<Profile>>,
    anonymizer: Option<Anonymizer>,
    targets: Option<(Target, Target)>,
    /// Errors and warnings.
    pub(super) findings: Vec<Finding>,
}

/// Everything that a start needs.
pub(super) struct Ready {
    pub(super) parts: Parts,
    pub(super) identity: Identity,
    /// What new clients of each tarpit are held under, in the order of the settings.
    pub(super) profiles: Vec<Profile>,
    /// How clients' addresses are written and shown.
    pub(super) anonymizer: Anonymizer,
    /// The log's file and the trace's.
    pub(super) targets: (Target, Target),
    pub(super) warnings: Vec<Finding>,
}

/// What is there in any case, if only in part or empty.
pub(super) struct Parts {
    pub(super) files: Files,
    /// Where clients come from, if that is looked up.
    pub(super) geoip: Option<Geoip>,
    pub(super) opened: Vec<Opened>,
    /// The admin server's sockets.
    pub(super) surfaces: Vec<OpenedSurface>,
    /// The user that the daemon becomes.
    pub(super) user: Option<(Uid, Gid)>,
    /// Addresses that cannot be opened; the others may be served.
    pub(super) unbound: Vec<Finding>,
}

impl Prepared {
    /// Adds what is to be told of the sockets of the service manager. Without one of them the
    /// others may be served, as with addresses.
    pub(super) fn with(mut self, found: Vec<Finding>) -> Self {
        let (unbound, told): (Vec<_>, Vec<_>) = found.into_iter().partition(Finding::is_refusal);
        self.parts.unbound.extend(unbound);
        self.findings.extend(told);
        self
    }

    /// Everything that a start needs, or all errors. With `keep_going` an address that cannot be
    /// opened does not prevent the start.
    pub(super) fn ready(self, keep_going: bool) -> Result<Ready, Vec<Finding>> {
        let Self { parts, identity, profiles, anonymizer, targets, findings } = self;
        let (mut refusals, warnings): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(Finding::is_refusal);
        let serves_others = refusals.is_empty() && !parts.opened.is_empty();
        if !(parts.unbound.is_empty() || keep_going && serves_others) {
            refusals.extend(parts.unbound.iter().cloned());
            if serves_others {
                let what = "nothing is served; --keep-going serves the other addresses";
                refusals.push(Finding::new(Gravity::Refused, None, what));
            }
        }
        match (identity, profiles, anonymizer, targets) {
            (Some(identity), Some(profiles), Some(anonymizer), Some(targets))
                if refusals.is_empty() =>
            {
                Ok(Ready { parts, identity, profiles, anonymizer, targets, warnings })
            }
            _ => Err(refusals),
        }
    }
}

/// Opens everything that `settings` need, or with [`Touch::Look`] only checks whether it could.
/// The sockets that are `activated` are there already, and what an earlier daemon had is taken over.
pub(super) fn prepare(
    settings: &Settings,
    clock: Clock,
    touch: Touch,
    (activated, inherited): (&Activated, &mut Inherited),
) -> Prepared {
    let files = Files::of(settings, settings.workers.get(), privileges::raise_file_limit());
    let shortage = files.shortage();
    let has_files = shortage.is_none();
    let mut findings: Vec<_> = shortage.into_iter().chain(files.cuts(settings)).collect();
    let (user, hindrance) = user(settings);
    findings.extend(hindrance);
    let state_dir = StateDir::new(settings.state_dir.clone(), touch);
    state_dir.recall(std::mem::take(&mut inherited.secrets));
    let identity = Identity::open(state_dir, clock).map_err(|it| findings.push(it)).ok();
    let to_look;
    let judged = if let Some(identity) = &identity {
        identity
    } else {
        // There is no start without it, but all errors are reported at once.
        to_look = Identity::to_look(StateDir::new(settings.state_dir.clone(), Touch::Look), clock);
        &to_look
    };
    // After the rights are dropped nothing more can be written there.
    if user.is_some() && judged.is_kept() {
        findings.extend(judged.open_all());
    }
    let profiles = profiles(judged, settings).map_err(|it| findings.extend(it)).ok();
    let anonymizer = anonymizer(judged, settings).map_err(|it| findings.push(it)).ok();
    let (geoip, found) = geoip::geoip(settings, None);
    let is_readable = !found.iter().any(Finding::is_refusal);
    findings.extend(found);
    findings.extend(geoip::idle(settings));
    if let Some(user) = user.filter(|_| is_readable) {
        findings.extend(geoip::unreadable(settings, user));
    }
    let mut found = logging::findings(settings, touch);
    found.extend(same_file::findings(settings));
    let is_refused = found.iter().any(Finding::is_refusal);
    findings.extend(found);
    let targets = match touch {
        _ if is_refused => None,
        Touch::Keep => open_both(settings).map_err(|it| findings.extend(it)).ok(),
        Touch::Look => {
            findings.extend(look_at_both(settings));
            None
        }
    };
    findings.extend(user.into_iter().flat_map(|user| rotations(settings, user)));
    findings.extend(confinement::lost_files(settings));
    findings.extend(confinement::shared_folders(settings));
    // If files run out, the addresses are not the cause.
    let (found, surfaces) = if has_files {
        let ports = ports::open_all(settings, touch, (activated, inherited));
        (ports, surfaces::open_all(settings, touch, inherited))
    } else {
        (ports::Found::default(), surfaces::Found::default())
    };
    findings.extend(found.told.into_iter().chain(surfaces.told));
    findings
        .extend(login::present().into_iter().flat_map(|it| super::login::warnings(settings, it)));
    if touch == Touch::Look && !settings.metrics.bind.is_empty() {
        findings.extend(Store::open(judged.state_dir().clone()).and_then(|(_, told)| told));
    }
    let parts = Parts {
        files,
        geoip,
        opened: found.opened,
        surfaces: surfaces.opened,
        user,
        unbound: found.unbound.into_iter().chain(surfaces.unbound).collect(),
    };
    Prepared { parts, identity, profiles, anonymizer, targets, findings }
}

/// The user that the daemon becomes, and why it cannot.
fn user(settings: &Settings) -> (Option<(Uid, Gid)>, Option<Finding>) {
    let Some(user) = &settings.user else { return (None, None) };
    match numbers(user) {
        Ok(Some(numbers)) if !privileges::may_change_users() => {
            let what = format!(
                "this process may not become user {user}: start it as root, or remove `user`"
            );
            let hindrance = Finding::new(Gravity::Rights, user.place.as_ref(), what);
            (Some(numbers), Some(hindrance))
        }
        Ok(numbers) => (numbers, None),
        Err(problem) => (None, Some(problem)),
    }
}

/// What new clients of each tarpit are held under, or all that is in the way.
pub(super) fn profiles(
    identity: &Identity,
    settings: &Settings,
) -> Result<Vec<Profile>, Vec<Finding>> {
    let (mut profiles, mut problems) = (Vec::new(), Vec::new());
    for tarpit in &settings.tarpits {
        match identity.profile(tarpit) {
            Ok(profile) => profiles.push(Profile {
                // Only this format has keys for them.
                tells_ssh_offers: tarpit.client_trace
                    && *settings.logging.format == TraceFormat::Cowrie,
                ..profile
            }),
            Err(found) => problems.extend(found),
        }
    }
    let problems = in_order(problems);
    if problems.is_empty() { Ok(profiles) } else { Err(problems) }
}

/// How clients' addresses are written and shown, or why the key for that is lacking.
pub(super) fn anonymizer(identity: &Identity, settings: &Settings) -> Result<Anonymizer, Finding> {
    Ok(match *settings.logging.anonymize {
        Anonymize::Keyed => Anonymizer::Keyed(Key(identity.anonymize_key()?)),
        Anonymize::None => Anonymizer::Whole,
        Anonymize::Prefix => Anonymizer::Prefix,
    })
}
