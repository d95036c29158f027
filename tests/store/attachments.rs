//! Files that people handed in: the same over every store.

use super::*;
use duban::kernel::model::attached::Attached;
use sha2::{Digest, Sha256};

stories!(a_file_comes_back_as_it_was_and_is_forgotten_when_nobody_needs_it);

fn file(content: &[u8], name: &str) -> Attached {
    let digest = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    Attached { digest, size: content.len() as u64, media: "text/plain".into(), name: name.into() }
}

async fn a_file_comes_back_as_it_was_and_is_forgotten_when_nobody_needs_it(ground: Ground) {
    let store = open(&ground).await;
    let (east, west) = (store.of("east"), store.of("west"));
    let long: Vec<u8> = (0..500_000_u32).map(|no| (no.wrapping_mul(no) % 251) as u8).collect();
    let (first, second) = (file(&long, "long.txt"), file(b"short", "short.txt"));
    east.keep_upload(&first, "zhang", &long, at(1)).await.expect("writes");
    east.keep_upload(&first, "zhang", &long, at(2)).await.expect("writes again");
    east.keep_upload(&second, "li", b"short", at(1)).await.expect("writes");
    assert_eq!(east.content(&first.digest).await.expect("reads").as_deref(), Some(long.as_slice()));
    assert_eq!(west.content(&first.digest).await.expect("reads"), None, "of another office");
    assert_eq!(east.content(&"0".repeat(64)).await.expect("reads"), None);

    let need = async |store: &Store, file: &Attached, person: &str, minutes: i64| {
        store.need_upload(file, person, at(minutes)).await.expect("writes")
    };
    assert!(need(&east, &first, "zhang", 50).await);
    assert!(!need(&east, &first, "li", 50).await, "another person's");
    assert!(!need(&west, &first, "zhang", 50).await, "of another office");
    assert!(!need(&east, &Attached { name: "x.exe".into(), ..first.clone() }, "zhang", 50).await, "under another name");
    assert!(!need(&east, &Attached { size: 1, ..first.clone() }, "zhang", 50).await, "of another size");

    store.everywhere().forget_uploads(at(40), at(60)).await.expect("writes");
    assert!(east.content(&first.digest).await.expect("reads").is_some(), "needed since");
    assert_eq!(east.content(&second.digest).await.expect("reads"), None, "needed by nobody");
    store.everywhere().forget_uploads(at(99), at(100)).await.expect("writes");
    assert_eq!(east.content(&first.digest).await.expect("reads"), None);
}
