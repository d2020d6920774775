//! Where clients come from, by databases of countries, cities and autonomous systems (.mmdb).
//!
//! A database is read into memory as a whole. So a look-up never waits for a disk, and a file that
//! is overwritten in place does no harm; a map of it would end the process with SIGBUS. The price is
//! as much memory as the file is long, and twice that while a file is replaced. A look-up in a
//! database of 20 MB took 0.2 us.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    net::IpAddr,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use maxminddb::{MaxMindDbError, Reader};
use rustix::fs::OFlags;
use serde::Deserialize;

use crate::{
    report::origins::Origins,
    settings::{
        Placed,
        finding::{Finding, Gravity, plain},
    },
};

/// What a worker looks up, and where it counts what it found. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Geoip {
    pub(crate) databases: Arc<Databases>,
    pub(crate) origins: Arc<Origins>,
}

/// Databases that are never changed; when a file was replaced, others take their place.
#[derive(Debug)]
pub(crate) struct Databases(Vec<Arc<Database>>);

/// A database, as it was when it was read.
#[derive(Debug)]
struct Database {
    path: PathBuf,
    stamp: Stamp,
    reader: Reader<Vec<u8>>,
}

/// Tells a file from another one that takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

/// Where a client comes from, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    /// Two letters, by ISO 3166.
    pub(crate) country: Option<&'a str>,
    /// In English.
    pub(crate) city: Option<&'a str>,
    /// The number of the autonomous system.
    pub(crate) asn: Option<u32>,
    /// Whose system that is.
    pub(crate) as_org: Option<&'a str>,
}

/// The largest file that is read; the largest that is sold has half of it.
const LONGEST: u64 = 1 << 30;

/// What the databases are of that have something to look up here, in their own names of types.
const TYPES: [&str; 5] = ["asn", "city", "country", "enterprise", "isp"];

impl Geoip {
    /// Databases, and no client counted yet.
    pub(crate) fn new(databases: Databases) -> Self {
        Self { databases: Arc::new(databases), origins: Arc::default() }
    }
}

impl Databases {
    /// The databases at `paths`. What is unchanged since `old` was read is taken over from there,
    /// and so is what cannot be read now: a finding says why. Without an old one it is a refusal.
    pub(crate) fn renewed(paths: &[Placed<PathBuf>], old: Option<&Self>) -> (Self, Vec<Finding>) {
        let (mut all, mut findings) = (Vec::new(), Vec::new());
        for path in paths {
            let known = old.and_then(|old| old.0.iter().find(|it| it.path == **path));
            if let Some(known) = known.filter(|known| stamp(path) == Some(known.stamp)) {
                all.push(Arc::clone(known));
                continue;
            }
            match (Database::read(path), known) {
                (Ok(database), _) => all.push(Arc::new(database)),
                (Err((_, what)), Some(known)) => {
                    all.push(Arc::clone(known));
                    let what = format!("{what}; the database that was read before stays in use");
                    findings.push(Finding::new(Gravity::Warning, path.place.as_ref(), what));
                }
                (Err((gravity, what)), None) => {
                    findings.push(Finding::new(gravity, path.place.as_ref(), what));
                }
            }
        }
        (Self(all), findings)
    }

    /// Where `ip` is. A database that knows nothing of it, or is damaged there, adds nothing.
    pub(crate) fn look_up(&self, ip: IpAddr) -> Origin<'_> {
        let mut origin = Origin::default();
        for database in &self.0 {
            let record = database.reader.lookup(ip).and_then(|found| found.decode::<Record<'_>>());
            let Ok(Some(record)) = record else { continue };
            let country = record.country.or(record.registered_country);
            origin.country = origin.country.or(country.and_then(|country| country.iso_code));
            origin.city = origin.city.or(record.city.and_then(|city| city.names?.en));
            origin.asn = origin.asn.or(record.autonomous_system_number);
            origin.as_org = origin.as_org.or(record.autonomous_system_organization);
        }
        origin
    }

    /// The files that this has and `old` has not, with their types.
    pub(crate) fn new_beside<'a>(
        &'a self,
        old: Option<&'a Self>,
    ) -> impl Iterator<Item = (&'a Path, &'a str)> {
        let is_known = move |database: &Arc<Database>| {
            old.is_some_and(|old| old.0.iter().any(|other| Arc::ptr_eq(database, other)))
        };
        let new = self.0.iter().filter(move |database| !is_known(database));
        new.map(|database| (&*database.path, &*database.reader.metadata().database_type))
    }
}

/// The stamp of the file at `path`; `None` where there is none.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Database {
    /// Reads a file, or says what is wrong with it and what to do.
    fn read(path: &Path) -> Result<Self, (Gravity, String)> {
        let refused = |gravity, what: &str| (gravity, format!("{}: {what}", path.display()));
        let unreadable = |error: io::Error| {
            let cure = match error.kind() {
                io::ErrorKind::NotFound => "check its name",
                io::ErrorKind::PermissionDenied => "let the user who runs tarpitd read it",
                _ => "name a database in MaxMind's format (.mmdb)",
            };
            refused(Gravity::of(&error), &format!("cannot read this: {}; {cure}", plain(&error)))
        };
        let wrong = |error: MaxMindDbError| {
            let what = match error {
                MaxMindDbError::InvalidDatabase { message, .. }
                | MaxMindDbError::Decoding { message, .. } => message,
                error => error.to_string(),
            };
            let what = format!(
                "this is no whole database in MaxMind's format: {}; download it again, and let it \
                 take the place of the old one by rename",
                what.escape_debug()
            );
            refused(Gravity::Refused, &what)
        };
        // A pipe would keep the daemon waiting.
        let mut options = File::options();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = options.open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(refused(Gravity::Refused, "not a regular file: name a database (.mmdb)"));
        }
        if metadata.len() > LONGEST {
            return Err(refused(Gravity::Refused, "larger than 1 GiB: name a smaller database"));
        }
        let mut bytes = Vec::new();
        bytes.reserve_exact(usize::try_from(metadata.len()).unwrap_or(0));
        file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
        let reader = Reader::from_source(bytes).map_err(wrong)?;
        let kind = reader.metadata().database_type.to_ascii_lowercase();
        if !TYPES.iter().any(|known| kind.contains(known)) {
            let what = format!(
                "a database of the type `{}`: name one of countries, cities or autonomous systems \
                 (ASN)",
                kind.escape_debug()
            );
            return Err(refused(Gravity::Refused, &what));
        }
        // Another maker's records may have other forms under the same names.
        let first = reader.networks(maxminddb::WithinOptions::default()).map_err(wrong)?.next();
        if let Some(first) = first {
            first.and_then(|found| found.decode::<Record<'_>>()).map_err(wrong)?;
        }
        Ok(Self { path: path.to_owned(), stamp: Stamp::of(&metadata), reader })
    }
}

/// What is read of a database's record; each kind of database has some of it.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    country: Option<Country<'a>>,
    /// Where the network is registered, if nobody knows where it is.
    #[serde(borrow)]
    registered_country: Option<Country<'a>>,
    #[serde(borrow)]
    city: Option<City<'a>>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'a str>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct City<'a> {
    #[serde(borrow)]
    names: Option<Names<'a>>,
}

#[derive(Deserialize)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmdb::{self, asn, city};

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("tarpitd-geoip-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn opened(paths: &[&Path]) -> (Databases, Vec<String>) {
        let paths: Vec<_> = paths.iter().map(|path| Placed::from(path.to_path_buf())).collect();
        let (databases, findings) = Databases::renewed(&paths, None);
        (databases, findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn databases_add_up_and_what_is_unknown_stays_unknown() {
        let folder = folder("sum");
        let cities = mmdb::database(
            "Test-City",
            &[("192.0.2.0/24", city("DE", "Köln")), ("2001:db8::/32", city("FR", "Paris"))],
        );
        let systems = mmdb::database(
            "Test-ASN",
            &[("192.0.2.0/25", asn(64_500, "Example")), ("198.51.100.0/24", asn(64_501, "Other"))],
        );
        let paths = [folder.join("city.mmdb"), folder.join("asn.mmdb")];
        fs::write(&paths[0], cities).unwrap();
        fs::write(&paths[1], systems).unwrap();
        let (databases, findings) = opened(&[&paths[0], &paths[1]]);
        assert_eq!(findings, [""; 0]);
        for (ip, country, city, asn, as_org) in [
            ("192.0.2.7", Some("DE"), Some("Köln"), Some(64_500), Some("Example")),
            ("192.0.2.200", Some("DE"), Some("Köln"), None, None),
            ("198.51.100.1", None, None, Some(64_501), Some("Other")),
            ("2001:db8::1", Some("FR"), Some("Paris"), None, None),
            ("203.0.113.1", None, None, None, None),
        ] {
            let origin = databases.look_up(ip.parse().unwrap());
            assert_eq!(origin, Origin { country, city, asn, as_org }, "{ip}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_wrong_or_cut_file_is_named_with_what_is_wrong() {
        let folder = folder("wrong");
        let whole = mmdb::database("Test-City", &[("192.0.2.0/24", city("DE", "Köln"))]);
        let other = mmdb::database("Test-Connection-Type", &[("192.0.2.0/24", city("DE", ""))]);
        let foreign = mmdb::database(
            "Other Country",
            &[("192.0.2.0/24", mmdb::Value::Map(vec![("country", mmdb::Value::Text("DE"))]))],
        );
        for (bytes, wanted) in [
            (&b"no database"[..], "no whole database in MaxMind's format"),
            (b"", "no whole database in MaxMind's format"),
            (&whole[..whole.len() / 2], "no whole database in MaxMind's format"),
            (&whole[..whole.len() - 1], "no whole database in MaxMind's format"),
            (&other, "a database of the type `test-connection-type`"),
            (&foreign, "no whole database in MaxMind's format"),
        ] {
            let path = folder.join("x.mmdb");
            fs::write(&path, bytes).unwrap();
            let (_, findings) = opened(&[&path]);
            let [finding] = &findings[..] else { panic!("{wanted}: {findings:?}") };
            assert!(finding.contains(wanted) && finding.contains("x.mmdb: "), "{finding}");
        }
        let (_, findings) = opened(&[&folder, &folder.join("nothing")]);
        assert!(findings[0].contains("not a regular file"), "{findings:?}");
        assert!(findings[1].contains("No such file") && findings[1].contains("check its name"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_is_read_again_when_another_takes_its_place_and_kept_if_that_is_wrong() {
        let folder = folder("again");
        let path = folder.join("x.mmdb");
        let put = |bytes: &[u8]| {
            fs::write(folder.join("new"), bytes).unwrap();
            fs::rename(folder.join("new"), &path).unwrap();
        };
        put(&mmdb::database("Test-City", &[("192.0.2.0/24", city("DE", "Köln"))]));
        let paths = [Placed::from(path.clone())];
        let country = |databases: &Databases| {
            databases.look_up("192.0.2.1".parse().unwrap()).country.map(str::to_owned)
        };
        let (first, _) = Databases::renewed(&paths, None);
        let (same, findings) = Databases::renewed(&paths, Some(&first));
        assert!(findings.is_empty() && same.new_beside(Some(&first)).next().is_none());
        put(&mmdb::database("Test-City", &[("192.0.2.0/24", city("AT", "Wien"))]));
        let (second, findings) = Databases::renewed(&paths, Some(&same));
        assert_eq!((findings.len(), country(&second).as_deref()), (0, Some("AT")));
        assert_eq!(second.new_beside(Some(&same)).count(), 1);
        put(b"nonsense");
        let (third, findings) = Databases::renewed(&paths, Some(&second));
        assert_eq!(country(&third).as_deref(), Some("AT"));
        assert!(findings[0].to_string().ends_with("stays in use") && !findings[0].is_refusal());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_damage_to_a_file_does_more_than_to_hide_what_it_knows() {
        let folder = folder("damage");
        let path = folder.join("x.mmdb");
        let whole = mmdb::database(
            "Test-City",
            &[("192.0.2.0/24", city("DE", "Köln")), ("2001:db8::/32", city("FR", "Paris"))],
        );
        for (place, change) in (0..whole.len()).flat_map(|at| [(at, 1), (at, 0x40), (at, 0xFF)]) {
            let mut bytes = whole.clone();
            bytes[place] ^= change;
            fs::write(&path, &bytes).unwrap();
            let (databases, _) = opened(&[&path]);
            for ip in ["192.0.2.7", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "ffff::"] {
                databases.look_up(ip.parse().unwrap());
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
