//! Alarms kept for the command line and the next start.

use vonglau::{
    domain::{
        alarm::{Alarm, AlarmKind},
        ids::CameraId,
    },
    runtime::board::Board,
};

use crate::engines::{NOW, actor, camera, on_every_engine};

fn alarm(id: i64, kind: AlarmKind, camera: Option<CameraId>) -> Alarm {
    let (text_vi, text_en) = ("hỏng".to_owned(), "broken".to_owned());
    Alarm { id, kind, camera, since_us: id, times: 2, text_vi, text_en }
}

#[tokio::test]
async fn alarms_of_every_kind_come_back_and_those_kept_before_are_replaced() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "a").await;
        let all: Vec<Alarm> = (1..).zip(AlarmKind::ALL).map(|(id, kind)| alarm(id, kind, Some(first))).collect();
        store.keep_alarms(&all).await.unwrap();
        assert_eq!(store.alarms().await.unwrap(), all);
        let one = [alarm(9, AlarmKind::DiskMissing, None)];
        store.keep_alarms(&one).await.unwrap();
        assert_eq!(store.alarms().await.unwrap(), one);
        assert!(store.keep_alarms(&[alarm(10, AlarmKind::Shedding, Some(CameraId(999)))]).await.is_err());
        assert_eq!(store.alarms().await.unwrap(), one, "nothing of it was entered");
    })
    .await;
}

#[tokio::test]
async fn an_alarm_that_was_seen_is_kept_no_longer_and_who_saw_it_stands_in_the_change_log() {
    on_every_engine(|store| async move {
        let board = Board::default();
        store.keep_alarms(&[alarm(4, AlarmKind::Damaged, None), alarm(5, AlarmKind::DiskFull, None)]).await.unwrap();
        board.put_back(store.alarms().await.unwrap());
        assert_eq!(board.alarms(), [alarm(4, AlarmKind::Damaged, None)]);
        store.alarm_seen(&actor(), &board.alarms()[0], NOW).await.unwrap();
        assert_eq!(store.alarms().await.unwrap(), [alarm(5, AlarmKind::DiskFull, None)]);
        let log = store.changes_after(0, 10).await.unwrap();
        let row = log.last().unwrap();
        assert_eq!((row.what.as_str(), row.object, row.actor.as_str()), ("alarm.seen", 4, actor().name.as_str()));
        assert!(row.before.as_ref().unwrap().contains("damaged"));
    })
    .await;
}
