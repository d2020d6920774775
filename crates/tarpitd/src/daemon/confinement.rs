//! What the sandbox leaves to the daemon: the files of its settings, with the folders in which they
//! are made again.
//!
//! A rule of landlock(7) holds for a file, not for its name. So where another file may take the
//! place of one (a rotated trace, a renewed certificate, a configuration that an editor saves), the
//! rule is for the folder, and where a name is a link, for the folder to which that leads.

use std::{
    fs,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

use crate::{
    os::sandbox::{self, Access, Denials, FileAccess, Grant, LANDLOCK, Lack},
    report::log::Log,
    settings::{
        AdminAddress, Certificate, Place, Placed, SandboxMode, Settings, Sink, SurfaceBind,
        finding::{Finding, Gravity, plain},
    },
};

/// The groups' names, which `[control] group` may have.
const GROUPS: &str = "/etc/group";

/// The most links that lead from one to another, as the kernel has it (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Folders in which other programs have files, too.
const SHARED: [&str; 11] = [
    "/dev/shm", "/etc", "/home", "/root", "/run", "/tmp", "/usr", "/var", "/var/lib", "/var/log",
    "/var/tmp",
];

/// A file that the daemon opens, replaces or removes while it serves.
#[derive(Clone, Debug)]
struct Need<'a> {
    /// What names it: a key or an option.
    key: String,
    place: Option<&'a Place>,
    path: &'a Path,
    access: Access,
}

/// All such files. `file` is the configuration, if that can be read again.
fn needs<'a>(settings: &'a Settings, file: Option<&'a Path>) -> Vec<Need<'a>> {
    let need = |key: &str, place: Option<&'a Place>, path: &'a Path, access| Need {
        key: key.to_owned(),
        place,
        path,
        access,
    };
    let mut all: Vec<_> =
        file.map(|path| need("-c", None, path, Access::Read)).into_iter().collect();
    let logging = &settings.logging;
    for (key, sink) in [("main", &logging.main), ("client_trace", &logging.client_trace)] {
        if let Sink::File(path) = &sink.value {
            let key = format!("[logging] {key}");
            all.push(need(&key, sink.place.as_ref(), path, Access::Append));
        }
    }
    for tarpit in &settings.tarpits {
        let Some(Certificate { cert, key }) = &tarpit.certificate else { continue };
        for (name, file) in [("cert", cert), ("key", key)] {
            let name = format!("{}: {name}", tarpit.name);
            all.push(need(&name, file.place.as_ref(), file, Access::Read));
        }
    }
    for Placed { value, place } in &settings.geoip {
        all.push(need("[geoip] databases", place.as_ref(), value, Access::Read));
    }
    all
}

/// Where a file is, once all links are followed.
#[derive(Debug, Default)]
struct Whereabouts {
    /// What must be allowed so that the file can be opened, and opened again when another one has
    /// taken its place; the last one is for the file itself.
    grants: Vec<Grant>,
    /// The links on the way.
    links: Vec<PathBuf>,
}

/// Finds a file. What is not there needs no rule: nothing can be made there.
fn find(path: &Path, access: Access) -> Whereabouts {
    let mut found = Whereabouts::default();
    let Ok(mut path) = std::path::absolute(path) else { return found };
    for _ in 0..MOST_LINKS {
        let above = path.ancestors().skip(1).filter(|above| is_link(above));
        found.links.extend(above.map(Path::to_owned));
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return found };
        let Ok(folder) = fs::canonicalize(parent) else { return found };
        let file = folder.join(name);
        let target = fs::read_link(&file);
        // What is beneath `/` is everything. Whoever replaces the file there is not followed.
        let is_alone = folder == Path::new("/") || is_special(&file);
        // A link may be replaced by a file. But to make files beside a link such as /dev/stdout
        // is no affair of ours.
        if target.is_err() || access == Access::Read && !is_alone {
            let path = if is_alone { file.clone() } else { folder.clone() };
            found.grants.push(Grant { path, access });
        }
        match target {
            Ok(target) => {
                found.links.push(file);
                path = folder.join(target);
            }
            Err(_) => return found,
        }
    }
    found
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Whether it is a device or a pipe, which nobody replaces.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_char_device() || kind.is_block_device() || kind.is_fifo()
    })
}

/// Whether it is a file that lies in the root directory.
fn is_in_root(path: &Path) -> bool {
    path.parent() == Some(Path::new("/")) && !path.is_dir()
}

/// Everything that the daemon may do with files once it is confined.
fn grants(settings: &Settings, file: Option<&Path>) -> Vec<Grant> {
    let needs = needs(settings, file);
    let mut all: Vec<_> =
        needs.iter().flat_map(|need| find(need.path, need.access).grants).collect();
    if file.is_some() {
        all.push(Grant { path: GROUPS.into(), access: Access::Read });
    }
    all.extend(settings.state_dir.as_ref().and_then(|it| kept(it)));
    let sockets = settings.surfaces().into_iter().filter_map(|bind| match bind.at {
        AdminAddress::Tcp(_) => None,
        AdminAddress::Unix(path) => Some(path),
    });
    for path in settings.pid_file.clone().into_iter().chain(sockets) {
        all.extend(removed(&path));
    }
    all
}

/// What a directory needs in which files are made, replaced and removed.
fn kept(directory: &Path) -> Option<Grant> {
    let path = fs::canonicalize(directory).ok()?;
    Some(Grant { path, access: Access::Keep })
}

/// What a file needs so that it goes at the end.
fn removed(path: &Path) -> Option<Grant> {
    let path = fs::canonicalize(std::path::absolute(path).ok()?.parent()?).ok()?;
    (path != Path::new("/")).then_some(Grant { path, access: Access::Remove })
}

/// Whether one of these grants allows what another one does.
fn covers(grants: &[Grant], wanted: &Grant) -> bool {
    grants.iter().any(|it| wanted.path.starts_with(&it.path) && it.access.covers(wanted.access))
}

/// Whether other programs have files there, too.
fn is_shared(folder: &Path) -> bool {
    let home = std::env::home_dir().and_then(|home| fs::canonicalize(home).ok());
    SHARED.iter().any(|shared| Path::new(shared) == folder) || home.is_some_and(|it| it == folder)
}

/// Warns of files that lie in a shared folder, below which the daemon may then change all.
pub(super) fn shared_folders(settings: &Settings) -> Vec<Finding> {
    if *settings.sandbox == SandboxMode::Off {
        return Vec::new();
    }
    let mut granted = Vec::new();
    for need in needs(settings, None) {
        let grants = find(need.path, need.access).grants;
        granted.extend(grants.into_iter().map(|grant| (need.key.clone(), need.place, grant)));
    }
    if let Some(Placed { value, place }) = &settings.state_dir {
        granted.extend(kept(value).map(|it| ("state_dir".to_owned(), place.as_ref(), it)));
    }
    if let Some(path) = &settings.pid_file {
        granted.extend(removed(path).map(|it| ("--pid-file".to_owned(), None, it)));
    }
    let surfaces = settings.surfaces();
    for bind in &surfaces {
        let AdminAddress::Unix(path) = &bind.at else { continue };
        let key = format!("[{}]", bind.surface.name());
        granted.extend(removed(path).map(|it| (key, bind.place.as_ref(), it)));
    }
    let warning = |(key, place, Grant { path, access }): (String, _, Grant)| {
        let may = match access {
            Access::Append => "write to",
            Access::Keep => "change",
            Access::Read => return None,
            Access::Remove => "remove",
        };
        let what = format!(
            "`{key}`: the sandbox has to let tarpitd {may} all files below {}: name a folder of its \
             own",
            path.display()
        );
        is_shared(&path).then(|| Finding::new(Gravity::Warning, place, what))
    };
    granted.into_iter().filter_map(warning).collect()
}

/// Warns of files that the daemon cannot open again once they were rotated or renewed.
pub(super) fn lost_files(settings: &Settings) -> Vec<Finding> {
    if *settings.sandbox == SandboxMode::Off {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for need in needs(settings, None) {
        let Whereabouts { grants, links } = find(need.path, need.access);
        let Some(last) = grants.last() else { continue };
        let mut warn = |what: String| {
            let what = format!("`{}`: {what}", need.key);
            findings.push(Finding::new(Gravity::Warning, need.place, what));
        };
        if is_in_root(&last.path) {
            warn(format!(
                "the sandbox cannot allow all of /, so a new {} is not opened before a restart: \
                 put the file into a folder of its own",
                last.path.display()
            ));
        }
        // Links of the system, such as /var/run, stay as they are; and a device is not replaced.
        let is_of_the_system = |link: &Path| {
            link.parent().is_none_or(|it| [Path::new("/"), Path::new("/var")].contains(&it))
        };
        let is_followed = |link: &Path| {
            let folder = link.parent().and_then(|folder| fs::canonicalize(folder).ok());
            folder.is_none_or(|path| covers(&grants, &Grant { path, access: need.access }))
        };
        let may_move = |link: &&PathBuf| {
            !(is_special(&last.path) || is_of_the_system(link) || is_followed(link))
        };
        if let Some(link) = links.iter().find(may_move) {
            warn(format!(
                "{} is a link, and the sandbox allows only where it leads now: if it is changed, \
                 `tarpitd upgrade` or a restart is needed",
                link.display()
            ));
        }
    }
    findings
}

/// What the running daemon may still do.
#[derive(Debug)]
pub(super) struct Confinement {
    /// What it may do with files; `None`: as everybody.
    grants: Option<Vec<Grant>>,
    /// What the system refused.
    lacks: Vec<Lack>,
    /// Whether system calls are filtered.
    is_filtered: bool,
    denials: Denials,
}

impl Confinement {
    /// Leaves the process only its own files, for good. There must be no other thread yet. An error
    /// is what the settings require and the system refuses.
    pub(super) fn enter(settings: &Settings, file: Option<&Path>) -> Result<Self, Finding> {
        let mut confinement = Self {
            grants: None,
            lacks: Vec::new(),
            is_filtered: false,
            denials: Denials::default(),
        };
        if !Self::is_on(settings) {
            return Ok(confinement);
        }
        let grants = grants(settings, file);
        confinement.lacks = sandbox::confine(&grants);
        if confinement.lacks.iter().all(|lack| lack.what != LANDLOCK) {
            confinement.grants = Some(grants);
        }
        confinement.require(settings)?;
        Ok(confinement)
    }

    /// Leaves all threads only the system calls that they need, for good. Logs what the sandbox
    /// lacks. An error is as above.
    pub(super) fn filter_calls(&mut self, settings: &Settings, log: &Log) -> Result<(), Finding> {
        if !Self::is_on(settings) {
            return Ok(());
        }
        let is_unix = |bind: &SurfaceBind| matches!(bind.at, AdminAddress::Unix(_));
        let sockets = settings.surfaces().into_iter().filter(is_unix);
        let sockets = sockets.map(|SurfaceBind { access, .. }| FileAccess {
            mode: access.mode,
            group: access.group,
        });
        match sandbox::filter_calls(&sockets.collect::<Vec<_>>()) {
            Ok(()) => self.is_filtered = true,
            Err(lack) => self.lacks.push(lack),
        }
        self.require(settings)?;
        if !self.lacks.is_empty() {
            log.warning(format_args!("{}", lacking(settings, &self.lacks)));
        }
        Ok(())
    }

    /// Whether denied system calls are to be awaited.
    pub(super) fn is_on(settings: &Settings) -> bool {
        *settings.sandbox != SandboxMode::Off
    }

    /// The system calls that were denied since this was asked last.
    pub(super) fn denied(&mut self) -> Vec<String> {
        self.denials.news()
    }

    /// An error where the settings require what the system refuses.
    fn require(&self, settings: &Settings) -> Result<(), Finding> {
        let is_required = *settings.sandbox == SandboxMode::Require && !self.lacks.is_empty();
        if is_required { Err(lacking(settings, &self.lacks)) } else { Ok(()) }
    }

    /// Says that new Unix sockets are not allowed: one can be connected, too.
    pub(super) fn refused_sockets(&self, new: &[SurfaceBind]) -> Vec<Finding> {
        let refusal = |bind: &SurfaceBind| {
            let what = format!(
                "[{}]: the sandbox of the running daemon allows no new Unix socket: a restart, or \
                 `tarpitd upgrade` by the present control socket (`--socket PATH`), starts one that \
                 has {}",
                bind.surface.name(),
                bind.at
            );
            Finding::new(Gravity::Rights, bind.place.as_ref(), what)
        };
        if self.is_filtered { new.iter().map(refusal).collect() } else { Vec::new() }
    }

    /// Says which files of other settings the sandbox does not allow.
    pub(super) fn refusals(&self, settings: &Settings, file: Option<&Path>) -> Vec<Finding> {
        let Some(granted) = &self.grants else { return Vec::new() };
        let refusal = |need: &Need<'_>| {
            let wanted = find(need.path, need.access).grants.pop()?;
            if covers(granted, &wanted) {
                return None;
            }
            let what = format!(
                "`{}`: the sandbox of the running daemon does not allow {}: `tarpitd upgrade` \
                 starts one that may use it",
                need.key,
                need.path.display()
            );
            Some(Finding::new(Gravity::Rights, need.place, what))
        };
        needs(settings, file).iter().filter_map(refusal).collect()
    }
}

/// Says what the system lacks for the sandbox.
fn lacking(settings: &Settings, lacks: &[Lack]) -> Finding {
    let all: Vec<_> =
        lacks.iter().map(|Lack { what, error }| format!("{what} ({})", plain(error))).collect();
    let all = all.join(", ");
    let (gravity, what) = if *settings.sandbox == SandboxMode::Require {
        let what = format!(
            "[sandbox] mode = \"require\": the system refuses {all}; use another kernel or \
             container, or write `mode = \"on\"` to start without"
        );
        (Gravity::Refused, what)
    } else {
        let what = format!(
            "the sandbox is incomplete: the system refuses {all}; [sandbox] mode = \"off\" makes \
             this warning go away"
        );
        (Gravity::Warning, what)
    };
    Finding::new(gravity, settings.sandbox.place.as_ref(), what)
}

#[cfg(test)]
mod tests {
    use std::{io, os::unix::fs::symlink};

    use super::*;
    use crate::config;

    /// A directory of its own for a test, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tarpitd-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(fs::canonicalize(path).unwrap())
        }

        fn make(&self, folder: &str) -> PathBuf {
            let path = self.0.join(folder);
            fs::create_dir_all(&path).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn settings(lines: &str) -> Settings {
        let text = format!("[tarpits.a]\npattern = 'tls'\nbind = '127.0.0.1:1'\n{lines}");
        config::parse("x", &text).unwrap()
    }

    /// As certbot lays out and renews its files: links in live/ lead to numbered files in archive/.
    #[test]
    fn a_certificate_that_certbot_renews_can_be_read_again() {
        let folder = Folder::new("certbot");
        let (live, archive) = (folder.make("live/name"), folder.make("archive/name"));
        for name in ["fullchain", "privkey"] {
            fs::write(archive.join(format!("{name}1.pem")), "").unwrap();
            let target = format!("../../archive/name/{name}1.pem");
            symlink(target, live.join(format!("{name}.pem"))).unwrap();
        }
        let settings = settings(&format!(
            "cert = '{0}/fullchain.pem'\nkey = '{0}/privkey.pem'",
            live.display()
        ));
        let grants = grants(&settings, None);
        let may_read = |path: PathBuf| covers(&grants, &Grant { path, access: Access::Read });
        assert!(may_read(archive.join("fullchain2.pem")) && may_read(live.join("privkey.pem")));
        assert!(!may_read(folder.0.join("archive/other/privkey1.pem")));
        assert_eq!(lost_files(&settings), []);
    }

    #[test]
    fn a_trace_with_a_relative_path_is_in_the_working_directory() {
        let here = fs::canonicalize(".").unwrap();
        let settings = settings("[logging]\nclient_trace = 'trace.jsonl'");
        let wanted = Grant { path: here, access: Access::Append };
        assert_eq!(grants(&settings, None), [wanted]);
        assert_eq!(lost_files(&settings), []);
    }

    #[test]
    fn each_file_of_the_settings_has_its_rule_and_no_more() {
        let folder = Folder::new("grants");
        let path = |name: &str| folder.make(name).display().to_string();
        let (logs, state, maps, run) = (path("logs"), path("state"), path("maps"), path("run"));
        let mut settings = config::parse(
            "x",
            &format!(
                "state_dir = '{state}'\n[tarpits.a]\npattern = 'ssh'\nbind = '127.0.0.1:1'\n\
                 [logging]\nmain = '/dev/full'\nclient_trace = '{logs}/trace'\n\
                 [geoip]\ndatabases = ['{maps}/a.mmdb']\n[control]\nsocket = '{run}/socket'"
            ),
        )
        .unwrap();
        settings.pid_file = Some("/tarpitd.pid".into());
        let file = folder.0.join("x.toml");
        let grant = |path: &str, access| Grant { path: path.into(), access };
        assert_eq!(
            grants(&settings, Some(&file)),
            [
                Grant { path: folder.0.clone(), access: Access::Read },
                grant("/dev/full", Access::Append),
                grant(&logs, Access::Append),
                grant(&maps, Access::Read),
                grant(GROUPS, Access::Read),
                grant(&state, Access::Keep),
                grant(&run, Access::Remove),
            ]
        );
    }

    #[test]
    fn what_a_rotation_or_renewal_would_lose_is_told() {
        let folder = Folder::new("lost");
        let (old, top) = (folder.make("2026-11"), folder.0.display());
        symlink("2026-11", folder.0.join("current")).unwrap();
        symlink(old.join("trace"), folder.0.join("trace")).unwrap();
        for (lines, link) in [
            (format!("client_trace = '{top}/current/trace'"), format!("{top}/current is a link")),
            (format!("main = '{top}/trace'"), format!("{top}/trace is a link")),
        ] {
            let told = lost_files(&settings(&format!("[logging]\n{lines}")));
            let [told] = &told[..] else { panic!("{told:?}") };
            assert!(told.to_string().contains(&link), "{told}");
            let off = settings(&format!("[logging]\n{lines}\n[sandbox]\nmode = 'off'"));
            assert_eq!(lost_files(&off), []);
        }
    }

    #[test]
    fn files_that_the_daemon_changes_in_a_shared_folder_are_told() {
        let mut settings = settings(
            "[logging]\nclient_trace = '/tmp/trace'\nmain = '/dev/full'\n[control]\nsocket = \
             '/tmp/tarpitd/no/socket'",
        );
        settings.pid_file = Some("/tmp/tarpitd.pid".into());
        let told = shared_folders(&settings);
        let [trace, pid_file] = &told[..] else { panic!("{told:?}") };
        let trace = trace.to_string();
        assert!(
            trace.contains("`[logging] client_trace`") && trace.contains("below /tmp"),
            "{trace}"
        );
        let pid_file = pid_file.to_string();
        assert!(pid_file.contains("`--pid-file`") && pid_file.contains("remove"), "{pid_file}");
        settings.sandbox.value = SandboxMode::Off;
        assert_eq!(shared_folders(&settings), []);
    }

    fn confinement(grants: Option<Vec<Grant>>) -> Confinement {
        let (lacks, denials) = (Vec::new(), Denials::default());
        Confinement { grants, lacks, is_filtered: true, denials }
    }

    #[test]
    fn a_reload_that_names_other_folders_is_refused_by_their_keys() {
        let folder = Folder::new("other");
        let (logs, other) = (folder.make("logs"), folder.make("other"));
        let at = |path: &Path| settings(&format!("[logging]\nclient_trace = '{}'", path.display()));
        let confined = confinement(Some(grants(&at(&logs.join("a")), None)));
        assert_eq!(confined.refusals(&at(&logs.join("b")), None), []);
        let told = confined.refusals(&at(&other.join("a")), None);
        let [told] = &told[..] else { panic!("{told:?}") };
        let told = told.to_string();
        assert!(told.contains("`[logging] client_trace`") && told.contains("tarpitd upgrade"));
        let free = confinement(None);
        assert_eq!(free.refusals(&at(&other.join("a")), None), []);
    }

    #[test]
    fn what_is_lacking_is_a_warning_or_with_require_an_error_that_names_the_key() {
        let lacks = [Lack { what: LANDLOCK, error: io::ErrorKind::Unsupported.into() }];
        let told = lacking(&settings(""), &lacks);
        assert!(
            !told.is_refusal() && told.to_string().contains("landlock (unsupported)"),
            "{told}"
        );
        let told = lacking(&settings("[sandbox]\nmode = 'require'"), &lacks);
        assert!(
            told.is_refusal() && told.to_string().starts_with("x:5:8: [sandbox] mode"),
            "{told}"
        );
    }
}
