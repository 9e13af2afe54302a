//! Weak Ed25519 points (RFC 8032 §5.1.3, RFC 7748 §7): with a public key of small order any attacker can make signatures.

/// The y coordinates of the eight points whose order divides the cofactor, little-endian. Each stands for two points, which
/// differ in the sign of x, the highest bit of the encoding.
const SMALL_ORDER: [[u8; 32]; 5] = [
    *b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    *b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    *b"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
];

/// Whether the point is a strong public key: not of small order, and in its canonical encoding (y below 2^255 - 19).
pub fn is_strong(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    y[31] &= 0x7f;
    let is_canonical = y[31] != 0x7f || y[1..31].iter().any(|byte| *byte != 0xff) || y[0] < 0xed;
    is_canonical && !SMALL_ORDER.contains(&y)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// All y of small order, in every encoding: 0 and 1 can be written as 2^255 - 19 and 2^255 - 18 as well.
    pub const WEAK: [[u8; 32]; 7] = {
        let [zero, one, eighth, other_eighth, minus_one] = SMALL_ORDER;
        let (mut again_zero, mut again_one) = (minus_one, minus_one);
        again_zero[0] = 0xed;
        again_one[0] = 0xee;
        [zero, one, eighth, other_eighth, minus_one, again_zero, again_one]
    };

    #[test]
    fn points_of_small_order_and_second_encodings_are_no_keys_whatever_their_sign() {
        for point in WEAK {
            let mut negative = point;
            negative[31] |= 0x80;
            assert!(!is_strong(&point) && !is_strong(&negative), "{point:x?}");
        }
        for low in 0xed..=0xff {
            let mut beyond = [0xff; 32];
            beyond[0] = low;
            assert!(!is_strong(&beyond));
        }
    }

    #[test]
    fn other_points_are_keys() {
        let mut base = [0x66; 32];
        base[0] = 0x58;
        let mut minus_two = SMALL_ORDER[4];
        minus_two[0] = 0xeb;
        let mut two = [0; 32];
        two[0] = 2;
        assert!(is_strong(&base) && is_strong(&minus_two) && is_strong(&two));
    }
}
