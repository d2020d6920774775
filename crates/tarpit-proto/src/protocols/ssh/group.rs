//! The groups of numbers over which keys are agreed on (RFC 3526), and the choice among them that a
//! client may make (RFC 4419).

use alloc::{boxed::Box, vec::Vec};

use crypto_bigint::{
    BoxedUint, Odd, Resize as _,
    modular::{BoxedMontyForm, BoxedMontyParams},
};

use crate::{base::host_keys::positive, states};

states! {
    /// A group, by its size in bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Group {
        Bits2048,
        Bits3072,
        Bits4096,
        Bits8192,
    }
}

/// What generates each of them.
pub(super) const GENERATOR: u8 = 2;

/// How many bits our secrets have: twice what the smallest group's strength asks for (RFC 7919,
/// appendix A.1 asks for 225), and what the ciphers need that are agreed on.
const SECRET_BITS: u32 = 256;

/// The longest number of a group as SSH writes it: that of the largest, with its sign.
pub(super) const LONGEST: usize = 1_025;

impl Group {
    /// The group for a client that asks for `wanted` bits, and for `least` and `most` at the
    /// outside. `None`: no group is of such a size.
    ///
    /// It is chosen as OpenSSH does from a file of moduli without the largest: the smallest group
    /// that has the wanted bits, or else the largest. OpenSSH's clients want 8,192 bits, and 4,096
    /// are a quarter of the work.
    pub(super) fn asked(least: u32, wanted: u32, most: u32) -> Option<Self> {
        if least > wanted || wanted > most {
            return None;
        }
        let choice = [Self::Bits2048, Self::Bits3072, Self::Bits4096];
        let mut fit = choice.into_iter().filter(|group| (least..=most).contains(&group.bits()));
        let largest = fit.clone().next_back();
        fit.find(|group| group.bits() >= wanted).or(largest)
    }

    fn bits(self) -> u32 {
        match self {
            Self::Bits2048 => 2_048,
            Self::Bits3072 => 3_072,
            Self::Bits4096 => 4_096,
            Self::Bits8192 => 8_192,
        }
    }

    /// The prime, its highest byte first: 64 ones, the first bits of pi and a small number, and 64
    /// ones.
    pub(super) fn prime(self) -> Vec<u8> {
        let offset: u32 = match self {
            Self::Bits2048 => 124_476,
            Self::Bits3072 => 1_690_314,
            Self::Bits4096 => 240_904,
            Self::Bits8192 => 4_743_158,
        };
        let length = self.bits() as usize / 8;
        let mut out = [0xFF; 8].to_vec();
        let digit = |place: usize| char::from(PI.as_bytes()[place]).to_digit(16).unwrap_or(0) as u8;
        out.extend((0..length - 16).map(|byte| digit(2 * byte) << 4 | digit(2 * byte + 1)));
        let mut carry = offset - 1;
        for byte in out.iter_mut().rev() {
            carry += u32::from(*byte);
            *byte = carry as u8;
            carry >>= 8;
        }
        out.extend([0xFF; 8]);
        out
    }

    /// Our public number, and the one that both sides share: both as SSH writes them. `None`: the
    /// client's is none of the group.
    pub(super) fn agree(self, public: &[u8], secret: &[u8; 32]) -> Option<(Vec<u8>, Vec<u8>)> {
        let bits = self.bits();
        let prime = BoxedUint::from_be_slice(&self.prime(), bits).ok()?;
        let zeros = public.iter().take_while(|&&byte| byte == 0).count();
        let public = BoxedUint::from_be_slice(&public[zeros..], bits).ok()?;
        let one = BoxedUint::one_with_precision(bits);
        // Between 1 and p - 1, both excluded (RFC 4253, section 8).
        if public <= one || public >= prime.wrapping_sub(&one) {
            return None;
        }
        let params = BoxedMontyParams::new_vartime(Option::from(Odd::new(prime))?);
        let secret = BoxedUint::from_be_slice(secret, SECRET_BITS).ok()?;
        let power = |base: BoxedUint| {
            let power = BoxedMontyForm::new(base, &params).pow_bounded_exp(&secret, SECRET_BITS);
            let bytes: Box<[u8]> = power.retrieve().to_be_bytes();
            positive(&bytes)
        };
        let generator = BoxedUint::from(GENERATOR).resize(bits);
        Some((power(generator), power(public)))
    }
}

/// The first 8,064 bits of pi.
const PI: &str = "C90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A43\
     1B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A89\
     9FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DC\
     A3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C\
     180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E\
     5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5\
     AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBB\
     E117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D7\
     88719A10BDBA5B2699C327186AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECA\
     A6287C59474E6BC05D99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B0\
     5AA993B4EA988D8FDDC186FFB7DC90A6C08F4DF435C93402849236C3FAB4D27C7026C1D4DCB2602646DEC9751E763D\
     BA37BDF8FF9406AD9E530EE5DB382F413001AEB06A53ED9027D831179727B0865A8918DA3EDBEBCF9B14ED44CE6CBA\
     CED4BB1BDB7F1447E6CC254B332051512BD7AF426FB8F401378CD2BF5983CA01C64B92ECF032EA15D1721D03F482D7\
     CE6E74FEF6D55E702F46980C82B5A84031900B1C9E59E7C97FBEC7E8F323A97A7E36CC88BE0F1D45B7FF585AC54BD4\
     07B22B4154AACC8F6D7EBF48E1D814CC5ED20F8037E0A79715EEF29BE32806A1D58BB7C5DA76F550AA3D8A1FBFF0EB\
     19CCB1A313D55CDA56C9EC2EF29632387FE8D76E3C0468043E8F663F4860EE12BF2D5B0B7474D6E694F91E6DBE1159\
     74A3926F12FEE5E438777CB6A932DF8CD8BEC4D073B931BA3BC832B68D9DD300741FA7BF8AFC47ED2576F6936BA424\
     663AAB639C5AE4F5683423B4742BF1C978238F16CBE39D652DE3FDB8BEFC848AD922222E04A4037C0713EB57A81A23\
     F0C73473FC646CEA306B4BCBC8862F8385DDFA9D4B7FA2C087E879683303ED5BDD3A062B3CF5B3A278A66D2A13F83F\
     44F82DDF310EE074AB6A364597E899A0255DC164F31CC50846851DF9AB48195DED7EA1B1D510BD7EE74D73FAF36BC3\
     1ECFA268359046F4EB879F924009438B481C6CD7889A002ED5EE382BC9190DA6FC026E479558E4475677E9AA9E3050\
     E2765694DFC81F56E880B96E7160C980DD98A573EA";

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn the_primes_are_those_of_the_standard() {
        for (group, end) in [
            (Group::Bits2048, [0x15, 0x72, 0x8E, 0x5A, 0x8A, 0xAC, 0xAA, 0x68]),
            (Group::Bits3072, [0x4B, 0x82, 0xD1, 0x20, 0xA9, 0x3A, 0xD2, 0xCA]),
            (Group::Bits4096, [0x4D, 0xF4, 0x35, 0xC9, 0x34, 0x06, 0x31, 0x99]),
            (Group::Bits8192, [0x60, 0xC9, 0x80, 0xDD, 0x98, 0xED, 0xD3, 0xDF]),
        ] {
            let prime = group.prime();
            assert_eq!(prime.len() * 8, group.bits() as usize);
            assert_eq!(prime[..12], [&[0xFF; 8], &[0xC9, 0x0F, 0xDA, 0xA2][..]].concat());
            let (rest, ones) = prime.split_at(prime.len() - 8);
            assert_eq!((&rest[rest.len() - 8..], ones), (&end[..], &[0xFF; 8][..]));
        }
    }

    #[test]
    fn both_sides_share_a_number_of_the_group() {
        for group in [Group::Bits2048, Group::Bits3072, Group::Bits4096] {
            let (hers, _) = group.agree(&[2], &[0x5A; 32]).expect("a number");
            let (ours, shared) = group.agree(&hers, &[0x77; 32]).expect("a number");
            let (_, also) = group.agree(&ours, &[0x5A; 32]).expect("a number");
            assert_eq!(shared, also);
        }
    }

    #[test]
    fn numbers_outside_the_group_are_refused() {
        let prime = Group::Bits2048.prime();
        let less = |by: u8| {
            let mut number = prime.clone();
            number[255] -= by;
            number
        };
        for number in [vec![], vec![0], vec![1], less(1), prime.clone(), vec![0xFF; 257]] {
            assert_eq!(Group::Bits2048.agree(&number, &[9; 32]), None, "{number:?}");
        }
        for number in [vec![2], less(2), [&[0, 0, 0][..], &less(2)].concat()] {
            assert!(Group::Bits2048.agree(&number, &[9; 32]).is_some(), "{number:?}");
        }
    }

    #[test]
    fn the_group_is_the_smallest_that_is_wanted_or_the_largest_that_may_be() {
        for (least, wanted, most, group) in [
            (2_048, 8_192, 8_192, Some(Group::Bits4096)),
            (1_024, 2_048, 8_192, Some(Group::Bits2048)),
            (1_024, 2_049, 8_192, Some(Group::Bits3072)),
            (2_048, 3_072, 3_072, Some(Group::Bits3072)),
            (1_024, 1_024, 1_024, None),
            (8_192, 8_192, 8_192, None),
            (4_096, 2_048, 8_192, None),
        ] {
            assert_eq!(Group::asked(least, wanted, most), group, "{least} {wanted} {most}");
        }
    }
}
