//! Tokens: nobody changes one, and none lasts too long.

use std::time::Duration;

use proptest::prelude::*;
use simurgh_config::Secret;
use simurgh_runtime::sleep;
use simurgh_sim::Sim;
use simurgh_web::{Keys, Opened, TOKEN_LEN_MAX, TokenError};

/// Signs or encrypts.
type Seal = fn(&Keys, &str, &[u8]) -> String;
type Open = fn(&Keys, &str, &str, Option<Duration>) -> Result<Opened, TokenError>;

const BOTH: [(Seal, Open); 2] = [
    (|keys, purpose, payload| keys.sign(purpose, payload), Keys::verify),
    (|keys, purpose, payload| keys.encrypt(purpose, payload), Keys::decrypt),
];

fn secret() -> Secret<String> {
    Secret::new(Keys::generate_secret())
}

#[test]
fn a_token_that_is_cut_or_changed_anywhere_is_refused() {
    let keys = Keys::random();
    for (seal, open) in BOTH {
        let token = seal(&keys, "test", b"payload");
        assert!(open(&keys, "test", &token, None).is_ok());
        for at in 0..token.len() {
            assert!(open(&keys, "test", &token[..at], None).is_err(), "cut at {at}");
            for byte in (0..=127u8).filter(|byte| *byte != token.as_bytes()[at]) {
                let mut changed = token.clone().into_bytes();
                changed[at] = byte;
                let changed = String::from_utf8(changed).unwrap();
                assert!(open(&keys, "test", &changed, None).is_err(), "{byte} at {at}");
            }
        }
        for text in ["", "x", "U21TAQ", &"A".repeat(200), &"A".repeat(TOKEN_LEN_MAX + 4)] {
            assert_eq!(open(&keys, "test", text, None), Err(TokenError::Malformed), "{}", text.len());
        }
    }
}

#[test]
fn a_token_is_for_one_purpose_and_one_way() {
    let keys = Keys::random();
    let (signed, encrypted) = (keys.sign("a", "x"), keys.encrypt("a", "x"));
    assert_eq!(keys.verify("b", &signed, None), Err(TokenError::BadSignature));
    assert_eq!(keys.decrypt("b", &encrypted, None), Err(TokenError::BadSignature));
    assert_eq!(keys.decrypt("a", &signed, None), Err(TokenError::Malformed));
    assert_eq!(keys.verify("a", &encrypted, None), Err(TokenError::Malformed));
    assert!(!encrypted.is_empty() && encrypted != keys.encrypt("a", "x"), "each has a nonce of its own");
    assert!(signed.starts_with("U21TA") && encrypted.starts_with("U21FA"), "magic and version: {signed} {encrypted}");
}

#[simurgh_sim::test(seeds = 3)]
async fn a_token_lasts_as_long_as_it_may(_sim: Sim) {
    let keys = Keys::random();
    for (seal, open) in BOTH {
        let token = seal(&keys, "test", b"payload");
        sleep(Duration::from_secs(59)).await;
        let minute = Duration::from_mins(1);
        assert_eq!(open(&keys, "test", &token, Some(minute)).unwrap().payload(), b"payload");
        sleep(Duration::from_secs(2)).await;
        let expired = open(&keys, "test", &token, Some(minute));
        assert!(
            matches!(expired, Err(TokenError::Expired { age, .. }) if age >= Duration::from_secs(61)),
            "{expired:?}"
        );
        assert!(open(&keys, "test", &token, None).unwrap().age() >= Duration::from_secs(61));
    }
}

#[test]
fn an_older_secret_is_accepted_while_it_is_in_the_ring() {
    let (old, new) = (secret(), secret());
    for (seal, open) in BOTH {
        let token = seal(&Keys::new(&old).unwrap(), "test", b"payload");
        let both = Keys::new(&new).unwrap().also(&old).unwrap();
        assert!(open(&both, "test", &token, None).unwrap().is_of_old_key());
        assert!(!open(&both, "test", &seal(&both, "test", b""), None).unwrap().is_of_old_key());
        // before it is the current one everywhere, a new secret can be made known everywhere
        let prepared = Keys::new(&old).unwrap().also(&new).unwrap();
        assert!(open(&prepared, "test", &seal(&both, "test", b""), None).is_ok());
        let without = Keys::new(&new).unwrap();
        assert_eq!(open(&without, "test", &token, None), Err(TokenError::BadSignature));
    }
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened_and_no_other_text_is(payload: Vec<u8>, purpose: String, text: String) {
        let keys = Keys::random();
        for (seal, open) in BOTH {
            let token = seal(&keys, &purpose, &payload);
            prop_assert_eq!(open(&keys, &purpose, &token, None).unwrap().into_payload(), payload.clone());
            prop_assert!(open(&keys, &purpose, &text, None).is_err());
        }
    }
}
