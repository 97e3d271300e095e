//! The tracker on detections of real streets (TUD, MOT15; test data that is not part of the project) and of a made-up
//! one, by the scores that trackers are compared with.

mod common;

use common::{
    follow::{WALKS, Walk, follow_street},
    shared_data,
    street::street,
};
use vonglau::logic::score::score;

/// What the tracker that came with the data reached: IDF1 and MOTA in percent, switches, false positives, misses.
const PUBLISHED: [(f64, f64, usize, usize, usize); 2] = [(55.8, 52.6, 7, 13, 150), (64.5, 56.4, 7, 45, 452)];

fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

#[test]
fn the_scorer_gives_the_published_answers() {
    let Some(folder) = shared_data("mot") else { return };
    for (name, published) in WALKS.iter().zip(PUBLISHED) {
        let walk = Walk::read(&folder, name);
        let s = score(&walk.truth, &walk.other);
        let answer = (percent(s.idf1()), percent(s.mota()), s.switches, s.false_positives, s.misses);
        assert_eq!(answer, published, "{name}");
    }
}

#[test]
fn people_of_real_streets_keep_their_names_better_than_published_also_at_five_frames_a_second() {
    let Some(folder) = shared_data("mot") else { return };
    for (name, least) in WALKS.iter().zip([(70.0, 58.0), (78.0, 70.0)]) {
        let walk = Walk::read(&folder, name);
        let mean = |step: i64| {
            let scores: Vec<_> = (0..step).map(|phase| walk.follow(step, phase)).map(|(t, f)| score(&t, &f)).collect();
            let mean = |of: &dyn Fn(usize) -> f64| (0..scores.len()).map(of).sum::<f64>() / scores.len() as f64;
            (percent(mean(&|i| scores[i].idf1())), percent(mean(&|i| scores[i].mota())))
        };
        let (full, fifth) = (mean(1), mean(5));
        println!("{name}: IDF1 {} MOTA {}; every 5th frame: IDF1 {} MOTA {}", full.0, full.1, fifth.0, fifth.1);
        assert!(full.0 >= least.0 && full.1 >= least.1, "{name}: {full:?}");
        assert!(fifth.0 >= 0.85 * full.0, "{name}: {fifth:?} of {full:?}");
    }
}

#[test]
fn a_busy_street_at_uneven_times_keeps_its_names() {
    // Seeds that nothing was tuned on.
    for (rate, least) in [(2.0, 0.79), (5.0, 0.86), (10.0, 0.88)] {
        let scores: Vec<_> = (11..15).map(|seed| street(seed, 60.0, rate)).collect();
        let idf1 = scores.iter().map(|(truth, m)| score(truth, &follow_street(m)).idf1()).sum::<f64>() / 4.0;
        println!("street at {rate} looks a second: IDF1 {idf1:.3}");
        assert!(idf1 > least, "at {rate} a second: {idf1}");
    }
}
