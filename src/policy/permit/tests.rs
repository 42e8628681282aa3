//! Tables of deletes by hand and of deletes that have to wait. The checks on a run's deletes are tested with the
//! planner.

use super::*;
use crate::policy::inventory::{Kind, ReadProof, ServerId, ServerRef};

fn point(status: PointStatus) -> RestorePoint {
    RestorePoint {
        id: PointId::Number(1),
        kind: Kind::Snapshot,
        server: ServerRef { id: ServerId::Number(9), name: "web".to_owned() },
        automatic: false,
        status,
        size_mb: None,
        created_at: Timestamp::UNIX_EPOCH,
        expires_at: None,
        name: None,
        description: "by hand".to_owned(),
    }
}

#[test]
fn a_person_may_delete_what_is_neither_automatic_nor_in_progress_nor_held() {
    use PointStatus::{Completed, Failed, InProgress, Other};
    let automatic = RestorePoint { automatic: true, ..point(Completed) };
    let held = || Some(Guard::Held("audit".to_owned()));
    let server_held = || Some(Guard::ServerHeld("audit".to_owned()));
    let in_progress = |word: &str| Err(Guard::InProgress(word.to_owned()));
    let table = [
        ("completed", point(Completed), None, Ok(())),
        ("failed", point(Failed), None, Ok(())),
        ("automatic", automatic.clone(), None, Err(Guard::Automatic)),
        ("in progress", point(InProgress), None, in_progress("in_progress")),
        ("a status never seen", point(Other("frozen".to_owned())), None, in_progress("frozen")),
        ("held", point(Completed), held(), Err(Guard::Held("audit".to_owned()))),
        ("on a held server", point(Failed), server_held(), Err(Guard::ServerHeld("audit".to_owned()))),
        ("what no release would help is said first", automatic, held(), Err(Guard::Automatic)),
        ("held and in progress", point(InProgress), held(), in_progress("in_progress")),
    ];
    for (what, point, hold, expected) in table {
        assert_eq!(by_hand(&point, hold), expected, "{what}");
    }
}

#[test]
fn the_younger_of_two_points_is_waited_for_while_it_is_in_progress_and_not_stuck() {
    use PointStatus::{Completed, InProgress, Other};
    let odd = || Other("frozen".to_owned());
    let table = [
        ("in progress", InProgress, 1, DeleteReason::Duplicate, false, true),
        ("a status never seen", odd(), 1, DeleteReason::Duplicate, false, true),
        ("stuck", InProgress, 1, DeleteReason::Duplicate, true, false),
        ("completed", Completed, 1, DeleteReason::Duplicate, false, false),
        ("no longer listed", InProgress, 2, DeleteReason::Duplicate, false, false),
        ("no duplicate", InProgress, 1, DeleteReason::FailedPoint, false, false),
    ];
    for (what, status, id, reason, is_stuck, expected) in table {
        let point = point(status);
        let inventory = Inventory {
            server: point.server.clone(),
            kind: point.kind,
            points: vec![point],
            read_at: Timestamp::UNIX_EPOCH,
            provider_time: None,
            proof: ReadProof::OnePage,
            doubts: Vec::new(),
        };
        assert_eq!(has_to_wait(&inventory, &PointId::Number(id), reason, || is_stuck), expected, "{what}");
    }
}

#[test]
fn a_hold_refuses_and_so_do_holds_that_cannot_be_read() {
    let held = Guard::Held("audit".to_owned());
    let doubt = Guard::Doubt("the holds cannot be read: disk I/O error".to_owned());
    for (what, hold, expected) in [
        ("not on hold", Ok(None), Ok(())),
        ("on hold", Ok(Some(held.clone())), Err(held)),
        ("unreadable", Err("disk I/O error"), Err(doubt)),
    ] {
        assert_eq!(by_hold(hold), expected, "{what}");
    }
}
