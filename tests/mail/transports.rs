//! The folder, the memory, the guard and the waits.

use super::{at, envelope};
use chrono::TimeDelta;
use duban::mail::backoff::{wait_after, wait_after_unknown};
use duban::mail::guard::Guard;
use duban::mail::{Address, Folder, Memory, Outcome, Parcel, Phase};

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_keeps_mails_under_names_that_sort_by_local_time() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("mails/2026");
    let folder = Folder::open(&path, chrono_tz::Asia::Shanghai).unwrap();
    for (number, minutes) in [(2, 5), (1, 0), (3, 24 * 60)] {
        let envelope = envelope(number);
        let outcome = folder.send(&Parcel { at: at() + TimeDelta::minutes(minutes), ..envelope.parcel() });
        assert!(matches!(outcome, Outcome::Sent { .. }));
    }
    assert_eq!(names(&path), ["20260623-083000_zhang_mail1.eml", "20260623-083500_zhang_mail2.eml", "20260624-083000_zhang_mail3.eml"]);
    let again = envelope(1);
    folder.send(&again.parcel());
    assert_eq!(names(&path).len(), 3);
    assert_eq!(std::fs::read(path.join("20260623-083000_zhang_mail1.eml")).unwrap(), again.bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("20260623-083000_zhang_mail1.eml"))), (0o700, 0o600), "nobody else's to read");
    }
}

#[test]
fn a_folder_that_cannot_be_written_defers_and_a_nasty_id_stays_inside() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("mails");
    let folder = Folder::open(&path, chrono_tz::UTC).unwrap();
    let envelope = envelope(1);
    let nasty = Parcel { id: "<../../x/..\\y:z@d>", ..envelope.parcel() };
    assert!(matches!(folder.send(&nasty), Outcome::Sent { .. }));
    assert_eq!(names(&path).len(), 1);
    std::fs::remove_dir_all(&path).unwrap();
    let outcome = folder.send(&envelope.parcel());
    assert!(matches!(outcome, Outcome::Deferred { phase: Phase::Body, .. }), "{outcome:?}");
}

#[test]
fn the_memory_answers_as_it_was_told() {
    let memory = Memory::default();
    let refused = Outcome::Refused { phase: Phase::Recipient, reply: "550 no".into() };
    memory.answer([refused.clone(), Outcome::Unknown { why: "cut".into() }]);
    let outcomes: Vec<_> = (0..3).map(|number| memory.send(&envelope(number).parcel())).collect();
    assert_eq!(outcomes[0], refused);
    assert!(matches!(outcomes[2], Outcome::Sent { .. }));
    assert_eq!(memory.mails().iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), [envelope(1).id, envelope(2).id]);
}

#[test]
fn a_copy_of_production_mails_nobody_but_those_on_the_list() {
    let to = |text: &str| Address::parse(text).unwrap();
    let nowhere = Guard::default();
    assert!(nowhere.allows(&to("a@b.cn"), "i-1").unwrap_err().contains("not in production"));
    let production = Guard { production: Some("i-1".into()), allow: Vec::new() };
    assert_eq!(production.allows(&to("a@b.cn"), "i-1"), Ok(()));
    assert!(production.allows(&to("a@b.cn"), "i-2").unwrap_err().contains("`i-2`"));
    assert!(Guard { production: Some(String::new()), allow: Vec::new() }.allows(&to("a@b.cn"), "").is_err());
    let testing = Guard { production: None, allow: vec!["@test.cn".into(), "Office@B.cn".into(), "lab.cn".into(), "".into(), "@".into()] };
    for (address, allowed) in [
        ("x@test.cn", true),
        ("x@TEST.CN", true),
        ("office@b.cn", true),
        ("x@lab.cn", true),
        ("x@b.cn", false),
        ("x@sub.test.cn", false),
        ("x@eviltest.cn", false),
    ] {
        assert_eq!(testing.allows(&to(address), "i-1").is_ok(), allowed, "{address}");
    }
}

#[test]
fn waits_double_from_a_minute_to_four_hours_and_are_spread() {
    let middle: Vec<_> = (1..=12).map(|attempts| wait_after(attempts, 0.5).num_minutes()).collect();
    assert_eq!(middle, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240, 240]);
    assert_eq!((wait_after(1, 0.0).num_seconds(), wait_after(1, 1.0).num_seconds()), (48, 72));
    assert_eq!(wait_after(u32::MAX, 9.0), TimeDelta::minutes(288));
    assert_eq!(wait_after(0, 0.5), TimeDelta::minutes(1));
    assert_eq!(wait_after_unknown(1, 0.0), TimeDelta::minutes(15));
    assert_eq!(wait_after_unknown(9, 0.5), TimeDelta::minutes(240));
}
