//! Certificates for TLS: the owner's, or the one that the machine would have.

use std::{
    cell::OnceCell,
    fs,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustix::fs::OFlags;
use rustls::{
    ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        ring::{self, cipher_suite as suite, kx_group as group},
    },
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
        pem::{self, PemObject as _},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
    version::{TLS12, TLS13},
};
use tarpit_proto::{
    keys::RsaKey,
    persona::{Machine, Persona},
    time::Wall,
    transport::Tls,
};

use crate::{
    keys::machine_certificate::{self, Made},
    os::{
        clock::Clock,
        entropy::{System, random},
    },
    settings::{
        Certificate, Placed, Tarpit,
        finding::{Finding, Gravity, plain},
    },
};

/// A key of one machine of this installation, and what its certificate is made with.
#[derive(Debug)]
pub(crate) struct Certificates {
    key: KeyPair,
    /// The key of the authority that issued it, if there is one.
    authority: Option<KeyPair>,
    signer: Arc<dyn SigningKey>,
    /// When the machine was installed, according to its certificate.
    made: Wall,
    serial: [u8; 20],
    /// The machine's, so that all its ports show the same.
    known: OnceCell<Arc<CertifiedKey>>,
}

/// How a key is kept: a byte that says which form follows, the moment, a serial number, and the
/// secret. Without the byte it is the form of earlier releases: the moment and the secret.
const KEPT: u8 = 2;

impl Certificates {
    /// A new key, as it is kept, and a moment in the last year at which it was made. Of twenty
    /// installations three have an authority, and two a key of ECDSA instead of RSA.
    pub(crate) fn fresh(clock: Clock, random: [u8; 32]) -> Result<Vec<u8>, String> {
        let rsa = || {
            let key = RsaKey::new(RsaKey::SHORT, &mut System).ok_or("no key of RSA was found")?;
            Ok::<_, String>(key.primes())
        };
        let secret = match random[0] % 20 {
            0..3 => [rsa()?, rsa()?].concat(),
            3..5 => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
                key.map_err(|it| it.to_string())?.serialize_der()
            }
            _ => rsa()?,
        };
        let [.., days, hours, seconds] = random;
        let before = (20 + u64::from(days)) * 86_400 + u64::from(hours) * 337 + u64::from(seconds);
        let made = clock.wall().as_secs().saturating_sub(before);
        Ok([&[KEPT], &made.to_be_bytes()[..], &random[1..21], &secret].concat())
    }

    /// The key that was kept.
    pub(crate) fn read(kept: &[u8]) -> Result<Self, String> {
        let (new, kept) = match kept.split_first() {
            Some((&KEPT, rest)) => (true, rest),
            _ => (false, kept),
        };
        let (made, rest) = kept.split_first_chunk().ok_or("it is too short")?;
        let (serial, secret) = match rest.split_first_chunk() {
            Some((serial, secret)) if new => (*serial, secret),
            _ if new => return Err("it is too short".to_owned()),
            _ => (random(), rest),
        };
        let (key, authority) = match secret.len() {
            RsaKey::SAVED_SHORT if new => (rsa_key(secret), None),
            TWO if new => {
                let (key, authority) = secret.split_at(RsaKey::SAVED_SHORT);
                let Some(authority) = rsa_key(authority) else { return Err(foreign()) };
                (rsa_key(key), Some(authority))
            }
            _ => {
                let der = PrivatePkcs8KeyDer::from(secret);
                (KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).ok(), None)
            }
        };
        let key = key.ok_or_else(foreign)?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signer = ring::sign::any_supported_type(&der).map_err(|_| foreign())?;
        let made = Wall(u64::from_be_bytes(*made));
        Ok(Self { key, authority, signer, made, serial, known: OnceCell::new() })
    }

    /// The key itself.
    #[cfg(test)]
    pub(crate) fn key(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// With what clients of `tarpit` speak TLS, on the machine that `persona` plays.
    /// `own` is the owner's certificate, if there is one.
    pub(crate) fn tls(
        &self,
        tarpit: &Tarpit,
        own: Option<Arc<CertifiedKey>>,
        persona: &Persona,
    ) -> Result<Tls, String> {
        let shown = match own {
            Some(own) => own,
            None => self.certificate(persona).map_err(|it| format!("cannot set up TLS: {it}"))?,
        };
        let library = Library::of(persona.machine());
        let mut config = ServerConfig::builder_with_provider(Arc::new(library.provider()))
            .with_protocol_versions(library.versions)
            .map_err(|error| format!("cannot set up TLS: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(shown)));
        config.ignore_client_order = library.chooses;
        if let Some(inner) = tarpit.pattern.inside(tarpit.inner) {
            let names = inner.about().alpn.iter();
            config.alpn_protocols = names.map(|name| name.as_bytes().to_vec()).collect();
        }
        let tls = Tls::new(config);
        let is_openssl_3 = library.versions.contains(&&TLS13);
        Ok(if is_openssl_3 { tls } else { tls.telling_old(Tls::PROTOCOL_VERSION) })
    }

    /// The certificate of the machine that `persona` plays.
    fn certificate(&self, persona: &Persona) -> Result<Arc<CertifiedKey>, rcgen::Error> {
        if let Some(known) = self.known.get() {
            return Ok(Arc::clone(known));
        }
        let Self { key, authority, made, serial, .. } = self;
        let made = Made { key, authority: authority.as_ref(), at: *made, serial: *serial };
        let der = machine_certificate::certificate(&made, persona)?;
        let new = Arc::new(CertifiedKey::new(vec![der.into()], Arc::clone(&self.signer)));
        Ok(Arc::clone(self.known.get_or_init(|| new)))
    }
}

/// The length of two keys of RSA.
const TWO: usize = 2 * RsaKey::SAVED_SHORT;

fn foreign() -> String {
    "it is not a key that tarpitd made".to_owned()
}

fn rsa_key(primes: &[u8]) -> Option<KeyPair> {
    let der = PrivatePkcs8KeyDer::from(RsaKey::from_primes(primes)?.to_pkcs8()?);
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).ok()
}

/// One certificate, for every client.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// What the library that a machine speaks TLS with lets be chosen, as far as ours can.
struct Library {
    suites: &'static [SupportedCipherSuite],
    groups: &'static [&'static dyn SupportedKxGroup],
    versions: &'static [&'static SupportedProtocolVersion],
    /// Whether the server's order decides, and not the client's.
    chooses: bool,
}

impl Library {
    fn of(machine: Machine) -> &'static Self {
        match machine {
            Machine::Debian12 => &OPENSSL_3_NGINX,
            Machine::Ubuntu2204 => &OPENSSL_3_APACHE,
            Machine::IpCamera => &OPENSSL_1_0,
            Machine::WindowsServer2019 => &SCHANNEL,
        }
    }

    fn provider(&self) -> CryptoProvider {
        CryptoProvider {
            cipher_suites: self.suites.to_vec(),
            kx_groups: self.groups.to_vec(),
            secure_random: &System,
            ..ring::default_provider()
        }
    }
}

/// In the order of its default list. Apache lets the client's order decide, as Debian and Ubuntu
/// have it.
static OPENSSL_3_APACHE: Library = Library {
    suites: &[
        suite::TLS13_AES_256_GCM_SHA384,
        suite::TLS13_CHACHA20_POLY1305_SHA256,
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ],
    groups: &[group::X25519, group::SECP256R1, group::SECP384R1],
    versions: &[&TLS13, &TLS12],
    chooses: false,
};

/// The same, but nginx decides, as Debian has it.
static OPENSSL_3_NGINX: Library = Library { chooses: true, ..OPENSSL_3_APACHE };

/// Before TLS 1.3, `ChaCha20` and X25519.
static OPENSSL_1_0: Library = Library {
    suites: &[
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ],
    groups: &[group::SECP256R1, group::SECP384R1],
    versions: &[&TLS12],
    chooses: false,
};

/// Of Windows before 2022, which knows no TLS 1.3.
static SCHANNEL: Library = Library {
    suites: &[
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ],
    groups: &[group::X25519, group::SECP256R1, group::SECP384R1],
    versions: &[&TLS12],
    chooses: true,
};

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

/// The certificates in a file, or the file's error.
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

/// The key in a file, or the file's error.
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

/// A regular file's bytes, at most a mebibyte.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    // Opening a pipe must not wait for a writer; pipes are refused below.
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
    use rcgen::CertificateParams;

    use super::*;

    #[test]
    fn keys_of_every_form_are_read_again_and_cut_ones_are_not() {
        for (choice, is_issued) in [(0, true), (3, false), (9, false)] {
            let mut random = [7; 32];
            random[0] = choice;
            let kept = Certificates::fresh(Clock::start(), random).unwrap();
            let read = Certificates::read(&kept).unwrap();
            assert_eq!((read.authority.is_some(), read.serial), (is_issued, [7; 20]));
            for end in [0, 1, 8, 20, 29, kept.len() - 1] {
                assert!(Certificates::read(&kept[..end]).is_err(), "{choice}: {end}");
            }
        }
        // As earlier releases kept it.
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_der();
        assert!(Certificates::read(&[&[0; 8][..], &key].concat()).is_ok());
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
}
