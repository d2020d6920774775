//! Certificates for TLS: the owner's, or a self-signed one for each name that clients ask for.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber};
use rustix::fs::OFlags;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
        pem::{self, PemObject as _},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
};
use tarpit_proto::{time::Wall, transport::Tls};

use crate::{
    os::{
        clock::Clock,
        entropy::{HashMap, System, random},
    },
    settings::{
        Certificate, Placed, Tarpit,
        finding::{Finding, Gravity, plain},
    },
};

/// The most names for which each worker keeps certificates; the oldest is made again when it is
/// asked for.
const NAMES: usize = 256;

/// For how long certificates of our own are good, as those are that distributions make at their
/// installation.
const GOOD_FOR: Duration = Duration::from_secs(3_650 * 86_400);

/// The longest name that a certificate's subject has room for (RFC 5280, appendix A.1).
const LONGEST_SUBJECT: usize = 64;

/// The key of this installation, from which its certificates are made.
#[derive(Debug)]
pub(crate) struct Certificates {
    key: KeyPair,
    signer: Arc<dyn SigningKey>,
    /// When it was installed, as its certificates have it.
    made: Wall,
}

impl Certificates {
    /// A new key, as it is kept, and a moment in the last year at which it was made.
    pub(crate) fn fresh(clock: Clock, random: [u8; 32]) -> Result<Vec<u8>, String> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|it| it.to_string())?;
        let days = 20 + u64::from(u16::from_be_bytes([random[0], random[1]])) % 300;
        let made = clock.wall().as_secs().saturating_sub(days * 86_400 + u64::from(random[2]));
        Ok([&made.to_be_bytes()[..], &key.serialize_der()].concat())
    }

    /// The key that was kept.
    pub(crate) fn read(kept: &[u8]) -> Result<Self, String> {
        let wrong = || "it is not a key that tarpitd made".to_owned();
        let (made, der) = kept.split_first_chunk().ok_or("it is too short")?;
        let der = PrivatePkcs8KeyDer::from(der.to_vec());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| wrong())?;
        let signer = ring::sign::any_ecdsa_type(&PrivateKeyDer::Pkcs8(der.clone_key()))
            .map_err(|_| wrong())?;
        Ok(Self { key, signer, made: Wall(u64::from_be_bytes(*made)) })
    }

    /// The key itself.
    #[cfg(test)]
    pub(crate) fn key(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// With what clients of `tarpit` on a machine called `host` speak TLS.
    /// `own` is the owner's certificate, if there is one.
    pub(crate) fn tls(
        self: &Arc<Self>,
        tarpit: &Tarpit,
        own: Option<Arc<CertifiedKey>>,
        host: &str,
    ) -> Result<Tls, String> {
        let resolver: Arc<dyn ResolvesServerCert> = match own {
            Some(own) => Arc::new(Own(own)),
            None => Arc::new(Made { by: Arc::clone(self), host: host.to_lowercase() }),
        };
        let provider = CryptoProvider { secure_random: &System, ..ring::default_provider() };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("cannot set up TLS: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        if let Some(inner) = tarpit.pattern.inside(tarpit.inner) {
            let names = inner.about().alpn.iter();
            config.alpn_protocols = names.map(|name| name.as_bytes().to_vec()).collect();
        }
        Ok(Tls::new(config))
    }

    /// A certificate for `name`.
    fn make(&self, name: &str) -> Result<CertifiedKey, rcgen::Error> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        if name.len() <= LONGEST_SUBJECT {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let day = |wall: Wall| {
            let date = wall.date();
            let year = i32::try_from(date.year).unwrap_or(9_999);
            rcgen::date_time_ymd(year, date.month, date.day as u8)
        };
        params.not_before = day(self.made);
        params.not_after = day(Wall(self.made.0 + GOOD_FOR.as_secs()));
        let mut serial = random::<20>();
        // Positive, as serial numbers must be (RFC 5280, section 4.1.2.2).
        serial[0] = serial[0] & 0x7F | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = params.self_signed(&self.key)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(&self.signer)))
    }
}

/// The owner's certificate, for every client.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesServerCert for Own {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Certificates made for the names that are asked for, or else for the machine's own.
#[derive(Debug)]
struct Made {
    by: Arc<Certificates>,
    host: String,
}

impl ResolvesServerCert for Made {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or(&self.host);
        CACHE.with_borrow_mut(|cache| cache.get(&self.by, name))
    }
}

thread_local! {
    /// One for each worker, so that none waits for another.
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The certificates that were made last.
#[derive(Default)]
struct Cache {
    made: HashMap<String, Arc<CertifiedKey>>,
    order: VecDeque<String>,
}

impl Cache {
    fn get(&mut self, by: &Certificates, name: &str) -> Option<Arc<CertifiedKey>> {
        if let Some(known) = self.made.get(name) {
            return Some(Arc::clone(known));
        }
        let new = Arc::new(by.make(name).ok()?);
        if self.order.len() >= NAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
        self.order.push_back(name.to_owned());
        self.made.insert(name.to_owned(), Arc::clone(&new));
        Some(new)
    }
}

/// The owner's certificate and key, for `tarpit`; says all that is wrong with them.
pub(crate) fn load(tarpit: &str, own: &Certificate) -> Result<Arc<CertifiedKey>, Vec<Finding>> {
    let Certificate { cert, key } = own;
    let finding = |gravity, name: &str, file: &Placed<PathBuf>, what: &str| {
        let what = format!("{tarpit}: {name}: {}: {what}", file.display());
        Finding::new(gravity, file.place.as_ref(), what)
    };
    let unusable = |name, file, what| finding(Gravity::Refused, name, file, what);
    let read = |name, file: &Placed<PathBuf>| {
        read_bounded(file).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::IsADirectory => "name a file in it",
                io::ErrorKind::NotFound => "check its name",
                io::ErrorKind::PermissionDenied => {
                    "let the user who starts tarpitd and the user that it becomes read it"
                }
                _ => "name a file in PEM",
            };
            finding(Gravity::of(&error), name, file, &format!("{}; {advice}", plain(&error)))
        })
    };
    let chain =
        read("cert", cert).and_then(|pem| chain(&pem).map_err(|it| unusable("cert", cert, it)));
    let signer =
        read("key", key).and_then(|pem| signer(&pem).map_err(|it| unusable("key", key, it)));
    let (chain, signer) = match (chain, signer) {
        (Ok(chain), Ok(signer)) => (chain, signer),
        (chain, signer) => return Err(chain.err().into_iter().chain(signer.err()).collect()),
    };
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            let what = "this key does not belong to the certificate in `cert`; name the key that \
                        it was made for, and in `cert` that certificate before those that vouch \
                        for it";
            Err(vec![unusable("key", key, what)])
        }
        Err(_) => Err(vec![unusable("cert", cert, DAMAGED)]),
    }
}

const DAMAGED: &str = "this certificate is damaged; name a complete copy in PEM";

/// The certificates in a file, or what is wrong with it.
fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) if has(pem, "PRIVATE KEY-----") => {
            Err("this is a key, not a certificate; `cert` and `key` may be swapped")
        }
        Ok(_) if has(pem, "BEGIN CERTIFICATE REQUEST") => {
            Err("this is a certificate request; name the certificate that was issued for it")
        }
        Ok(_) if is_der(pem) => {
            Err("this is in DER; convert it to PEM: `openssl x509 -inform der -in FILE -out NEW`")
        }
        Ok(_) => Err("this file contains no certificate; name one in PEM"),
        Err(_) => Err(DAMAGED),
    }
}

/// The key in a file, or what is wrong with it.
fn signer(pem: &[u8]) -> Result<Arc<dyn SigningKey>, &'static str> {
    if has(pem, "BEGIN ENCRYPTED PRIVATE KEY") || has(pem, "Proc-Type: 4,ENCRYPTED") {
        return Err(
            "this key is encrypted, and tarpitd cannot ask for its passphrase; remove the \
             passphrase: \
             `openssl pkey -in FILE -out NEW`",
        );
    }
    let der = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(der) => der,
        Err(pem::Error::NoItemsFound) => {
            return Err(match pem {
                _ if has(pem, "BEGIN CERTIFICATE-----") => {
                    "this is a certificate, not a key; `cert` and `key` may be swapped"
                }
                _ if has(pem, "BEGIN OPENSSH PRIVATE KEY") => {
                    "this is an OpenSSH key; name the certificate's private key in PEM"
                }
                _ if has(pem, "BEGIN PUBLIC KEY") => {
                    "this is a public key; name the certificate's private key in PEM"
                }
                _ if is_der(pem) => {
                    "this is in DER; convert it to PEM: `openssl pkey -inform der -in FILE -out \
                     NEW`"
                }
                _ => "this file contains no private key; name the certificate's in PEM",
            });
        }
        Err(_) => return Err("this key is damaged; name a complete copy in PEM"),
    };
    if let Ok(signer) = ring::sign::any_supported_type(&der) {
        return Ok(signer);
    }
    // The library gives its reason as a word of its own.
    match ring::sign::RsaSigningKey::new(&der) {
        Err(rustls::Error::General(reason)) if reason.contains("TooSmall") => Err(
            "this RSA key has fewer than 2048 bits, which TLS clients refuse; make a longer one: \
                 `openssl genrsa 2048`, and a certificate for it",
        ),
        _ => Err("this key is damaged or of an unsupported kind; use one of RSA from 2048 to \
             8192 bits, of ECDSA on P-256 or P-384, or of Ed25519"),
    }
}

/// Whether the text has such a mark.
fn has(pem: &[u8], mark: &str) -> bool {
    pem.windows(mark.len()).any(|window| window == mark.as_bytes())
}

/// Whether the bytes are a sequence in DER, and no text.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x81..=0x84, ..])
}

/// A regular file's bytes, of which there may be a mebibyte.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    // Opening a pipe that has no writer must not wait for one; it is refused below.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates() -> Certificates {
        Certificates::read(&Certificates::fresh(Clock::start(), [7; 32]).unwrap()).unwrap()
    }

    #[test]
    fn a_certificate_is_made_once_for_each_name_and_the_oldest_are_forgotten() {
        let (made, mut cache) = (certificates(), Cache::default());
        let first = cache.get(&made, "a.example").unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(&made, "a.example").unwrap()));
        for number in 0..NAMES {
            cache.get(&made, &format!("{number}.example")).unwrap();
        }
        assert_eq!((cache.made.len(), cache.order.len()), (NAMES, NAMES));
        let again = cache.get(&made, "a.example").unwrap();
        assert!(!Arc::ptr_eq(&first, &again));
        assert_ne!(first.cert[0], again.cert[0], "serial numbers differ");
    }

    /// Made for this test, and used nowhere: 1024 bits are too few.
    const SMALL: &str = "-----BEGIN PRIVATE KEY-----\n\
         MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAKh1tz/lKYRhCSOu\n\
         nm+Tlmon0EcEjSluHKp1OBf8b6eTyKRkWx/6/bCQ/9jsmPxHnqEzaYiLnmWyZ2Ca\n\
         +9m8gfARm6JkuMLF6BUA14ObwnaCcaMjOh8I1KsCJpBEGb7xJ1teKh1y8741OVKV\n\
         FHh2CRFysna/JwtE2Wf59VQbaLWFAgMBAAECgYB34s52+m+Bdk06x5qZbT8ubQcc\n\
         g3Cye1qLNMCm0U/kwpeX5pOzPrwsXAS4LCjz4URTFHOWaUZguYY4ihOR8UXGnCi9\n\
         yQyzo36zy7fvJKlt85lLmda7tZRekYYCKDgW4OgYrKoKJSXAWGc1rbgWMN7yJybX\n\
         Ho4AEeQ+QX3+uwS4QQJBANHDe1q7EKfe2TlSwsFH25E7Kb0XMSoTAO8o+GtUks0H\n\
         /zzumzcB3PAygdu2C9HdVF/vmvlIiRNoki/tUGQBjtcCQQDNl4yNDRUt1MOVC2l9\n\
         V0lfTSL3HfsQSZblj8vCUcefsXFEyQovvPsv6HCISfDDfrag+5nKDnd6v4XAkTDO\n\
         qB8DAkEAuzb5VZU33FvtDFhtMgxsT0a6jeWxH5gucUXj0gd9rjjA+SUMqx+ijU7G\n\
         z82+5uPfdnBnpK20ifn+33+zDE7HqQJACcwF+5a7AqMX6ttPXJSzP2JanzIDi8Ql\n\
         96yBhjIFdDutbRyzapDz21WVPzleysIYC9XRf0pvMR89TW7dx4tFZwJAHlR4/CP6\n\
         LTl+4nkn5pAok4U53VLDxdV0PxLSbkQAxUnHqrWsyLi30nSeyOM+iLnmIAC8nMA9\n\
         44vUBB7Pgoghxw==\n\
         -----END PRIVATE KEY-----\n";

    fn key_of_openssh() -> String {
        let kind = "OPENSSH PRIVATE KEY";
        format!("-----BEGIN {kind}-----\nb3BlbnNzaA==\n-----END {kind}-----\n")
    }

    #[test]
    fn files_that_cannot_be_used_are_told_in_plain_words() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let other = KeyPair::generate().unwrap().serialize_pem();
        let request = CertificateParams::new(["a.example".to_owned()])
            .and_then(|params| params.serialize_request(&made.signing_key))
            .and_then(|request| request.pem())
            .unwrap();
        let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        let encrypted = key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE");
        let der = |bytes: &[u8]| bytes.to_vec();
        let folder = std::env::temp_dir().join(format!("tarpitd-certs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (cert_file, key_file) = (folder.join("c.pem"), folder.join("k.pem"));
        let files = Certificate { cert: cert_file.clone().into(), key: key_file.clone().into() };
        let check = |cert: &[u8], key: &[u8], wanted: &[&str]| {
            fs::write(&cert_file, cert).unwrap();
            fs::write(&key_file, key).unwrap();
            let told = load("web", &files).err().unwrap_or_default();
            let told: Vec<_> = told.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), wanted.len(), "{told:?}");
            for (told, wanted) in told.iter().zip(wanted) {
                assert!(told.starts_with("web: ") && told.contains(wanted), "{told}");
                assert!(!told.contains("Error") && !told.contains('"'), "{told}");
            }
        };
        let (cert, key) = (cert.as_bytes(), key.as_bytes());
        check(cert, key, &[]);
        check(cert, other.as_bytes(), &["k.pem: this key does not belong to the certificate"]);
        check(cert, SMALL.as_bytes(), &["k.pem: this RSA key has fewer than 2048 bits"]);
        check(cert, encrypted.as_bytes(), &["k.pem: this key is encrypted"]);
        check(key, cert, &["this is a key, not a certificate", "this is a certificate, not a key"]);
        check(request.as_bytes(), key, &["c.pem: this is a certificate request"]);
        check(garbage.as_bytes(), key, &["c.pem: this certificate is damaged"]);
        check(&cert[..cert.len() / 2], key, &["c.pem: this certificate is damaged"]);
        check(cert, &key[..key.len() / 2], &["k.pem: this key is damaged"]);
        check(&der(made.cert.der()), key, &["c.pem: this is in DER"]);
        check(cert, b"", &["k.pem: this file contains no private key"]);
        let openssh = key_of_openssh();
        check(
            b"nothing",
            openssh.as_bytes(),
            &["this file contains no certificate", "an OpenSSH key"],
        );
        fs::remove_file(&cert_file).unwrap();
        fs::remove_file(&key_file).unwrap();
        let told = load("web", &files).unwrap_err();
        assert_eq!(told.len(), 2, "both are told: {told:?}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn names_of_any_length_are_certified() {
        let made = certificates();
        for name in ["a", "a.example", &format!("{0}.{0}.{0}", "a".repeat(63))] {
            assert!(made.make(name).is_ok(), "{name}");
        }
    }
}
