//! What words and phrases mean. Each stands here with all its accents; typed without them it means the same, and where
//! several phrases could be meant the longest one is.

use super::{fold::Word, starts};
use crate::domain::{
    colour::{Colour, Part},
    detection::Class,
    search::{Heading, Size},
};

/// What a phrase says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    /// Of one of these classes.
    Class(&'static [Class]),
    /// Of a make that pictures do not tell: a motorcycle.
    Make,
    /// Of one of these colours.
    Colour(&'static [Colour]),
    /// What follows is the colour of that part.
    Part(Part),
    /// A kind of rule said it.
    Kind(&'static str),
    /// A kind that only an extra classifier can say.
    Attribute,
    /// What no rule here can say: why, in both languages, and what can be looked for instead.
    Unseen(&'static str, &'static str, &'static [&'static str]),
    Heading(Heading),
    Size(Size),
    /// A number of riders follows.
    Riders,
    /// What follows is a place that it goes to.
    Towards,
    /// At least as long as follows.
    Longer,
    /// A kind of place, such as a market: cameras with that word in their names.
    Landmark,
    /// A plate follows.
    Plate,
    /// Not a picture but the state of cameras.
    CameraState,
    /// "Camera", a number may follow.
    Camera,
    /// What follows is meant instead of, not besides, what came before.
    Or,
    /// Says nothing.
    Filler,
}

use Class::{Bicycle, Bus, Car, Motorcycle, Person, Truck};
use Meaning::{
    Attribute, Camera, CameraState, Filler, Kind, Landmark, Longer, Make, Or, Plate, Riders, Towards, Unseen,
};

const VEHICLES: &[Class] = &[Bicycle, Motorcycle, Car, Bus, Truck];
const THEFT: Meaning = Unseen(
    "Máy không nhận ra hành vi trộm, cướp",
    "Theft and robbery cannot be seen by this program",
    &["xe máy chở 2 người"],
);
const FIGHT: Meaning =
    Unseen("Máy không nhận ra hành vi đánh nhau", "Fights cannot be seen by this program", &["tập trung đông người"]);
const RECKLESS: Meaning =
    Unseen("Chưa có luật cho việc này", "There is no rule for this yet", &["chạy nhanh", "ngược chiều"]);
const UNRULED: Meaning = Unseen("Chưa có luật cho việc này", "There is no rule for this yet", &[]);

type Phrases = (Meaning, &'static str);

/// Every phrase by its meaning; a comma between them.
const LEXICON: &[Phrases] = &[
    (
        Meaning::Class(&[Motorcycle]),
        "xe máy, xm, xe gắn máy, mô tô, xe mô tô, moto, xe hai bánh, xe 2 bánh, xe ôm, motorcycle, motorcycles, \
         motorbike, motorbikes, scooter, người đi xe máy, người đi xe",
    ),
    (
        Meaning::Class(&[Car]),
        "ô tô, oto, ôtô, ô tô con, xe ô tô, xe oto, xe ôtô, xe con, xe hơi, xe 4 chỗ, xe 5 chỗ, xe 7 chỗ, bán \
         tải, xe bán tải, taxi, xe taxi, car, cars",
    ),
    (
        Meaning::Class(&[Truck]),
        "xe tải, xe ben, xe tải ben, container, xe container, đầu kéo, xe đầu kéo, công nông, xe công nông, xe \
         công trình, xe bồn, truck, trucks, lorry",
    ),
    (Meaning::Class(&[Bus]), "xe khách, xe buýt, xe bus, xe 16 chỗ, xe 29 chỗ, xe 45 chỗ, bus, buses, coach"),
    (Meaning::Class(&[Bicycle]), "xe đạp, xe đạp điện, bicycle, bicycles, bike, bikes, cyclist, người đi xe đạp"),
    (
        Meaning::Class(&[Person]),
        "người, ng, người đi bộ, thanh niên, nam thanh niên, đàn ông, phụ nữ, trẻ em, trẻ con, học sinh, cô gái, \
         thằng, kẻ gian, đối tượng, person, people, persons, man, men, woman, women, child, children, pedestrian, \
         pedestrians",
    ),
    (Meaning::Class(VEHICLES), "xe, xe cộ, phương tiện, xe nào, vehicle, vehicles"),
    (Make, "ex, exciter, wave, xe wave, sh, xe sh, dream, air blade, sirius, winner, vision, honda, yamaha"),
    (Meaning::Colour(&[Colour::Red]), "đỏ, red"),
    (Meaning::Colour(&[Colour::Orange]), "cam, da cam, orange"),
    (Meaning::Colour(&[Colour::Yellow]), "vàng, yellow"),
    (Meaning::Colour(&[Colour::Green]), "xanh lá, xanh lá cây, xanh lục, xanh rêu, xanh cốm, green"),
    (
        Meaning::Colour(&[Colour::Blue]),
        "xanh dương, xanh da trời, xanh nước biển, xanh biển, xanh lam, xanh than, xanh tím than, blue",
    ),
    (Meaning::Colour(&[Colour::Blue, Colour::Green]), "xanh"),
    (Meaning::Colour(&[Colour::Purple]), "tím, purple"),
    (Meaning::Colour(&[Colour::Pink]), "hồng, pink"),
    (Meaning::Colour(&[Colour::Brown]), "nâu, brown"),
    (Meaning::Colour(&[Colour::White]), "trắng, kem, white"),
    (Meaning::Colour(&[Colour::Grey]), "xám, bạc, ghi, màu ghi, grey, gray, silver"),
    (Meaning::Colour(&[Colour::Black]), "đen, black"),
    (Meaning::Part(Part::Upper), "áo, áo khoác, áo mưa, mặc áo, shirt, jacket, top"),
    (Meaning::Part(Part::Lower), "quần, váy, mặc quần, trousers, pants, skirt"),
    (Kind("motion"), "chuyển động, có chuyển động, motion"),
    (
        Kind("intrusion"),
        "xâm nhập, đột nhập, vào vùng, vào vùng theo dõi, trèo vào, trèo tường, vào nhà, intrusion, intruder",
    ),
    (Kind("line_crossing"), "qua vạch, qua vạch ảo, vượt vạch, cắt vạch, line crossing, crossing the line"),
    (
        Kind("wrong_way"),
        "ngược chiều, đi ngược chiều, chạy ngược chiều, nghi đi ngược chiều, ngc chiều, sai chiều, wrong way, \
         against traffic",
    ),
    (
        Kind("stopped"),
        "dừng đỗ, dừng đỗ lâu, đỗ xe, đỗ lâu, đậu xe, đậu lâu, dừng lâu, đỗ sai, đỗ trái phép, đỗ sai quy định, \
         dừng đỗ sai, đỗ, đậu, chết máy, stopped, parked, parking, illegal parking",
    ),
    (
        Kind("loitering"),
        "ở lại lâu, lảng vảng, lởn vởn, quanh quẩn, đứng lâu, rình, rình mò, rình rập, loitering, hanging around",
    ),
    (
        Kind("crowd"),
        "tụ tập, tụ tập đông người, tập trung đông người, đông người, đám đông, gây rối, mất trật tự, crowd, \
         gathering",
    ),
    (
        Kind("left_object"),
        "đổ rác, vứt rác, xả rác, bỏ rác, đổ trộm rác, đổ rác trộm, đổ trộm, đổ phế thải, đổ vật liệu, đổ đất, đổ \
         cát, đổ đá, đổ đất đá, để vật liệu, đồ vật để lại, đồ bỏ lại, lấn chiếm, lấn chiếm lòng đường, lấn chiếm \
         vỉa hè, nghi đổ rác, dumping, rubbish, left object, littering",
    ),
    (
        Kind("speeding"),
        "chạy nhanh, phóng nhanh, phóng, quá tốc độ, chạy quá tốc độ, vượt quá tốc độ, nghi chạy nhanh, speeding, \
         too fast",
    ),
    (
        Attribute,
        "không mũ, ko mũ, k mũ, không đội mũ, ko đội mũ, không đội mũ bảo hiểm, không mũ bảo hiểm, ko đội mũ bảo \
         hiểm, đầu trần, no helmet, without helmet, without a helmet",
    ),
    (Kind("tamper"), "che camera, camera bị che, xoay camera, camera bị xoay, camera bị lệch, tamper"),
    (
        THEFT,
        "trộm, ăn trộm, trộm cắp, mất trộm, lấy trộm, trộm chó, bắt chó, bắt trộm chó, trộm xe, mất xe, mất xe \
         máy, mất chó, trộm gà, trộm vàng, cướp, cướp giật, giật đồ, giật túi, móc túi, bẻ khóa, theft, thief, \
         robbery, stolen",
    ),
    (FIGHT, "đánh nhau, ẩu đả, đâm chém, hỗn chiến, fight, fighting"),
    (RECKLESS, "vượt ẩu, lạng lách, đánh võng, bốc đầu, đua xe, racing"),
    (
        UNRULED,
        "vượt đèn đỏ, tai nạn, va chạm, cháy, khói, hỏa hoạn, buôn lậu, hàng lậu, chó, chó thả rông, trâu bò, gia \
         súc, red light, accident, fire, smoke, dog, dogs",
    ),
    (
        Meaning::Heading(Heading::Right),
        "từ trái sang phải, trái sang phải, sang phải, qua phải, về bên phải, left to right, to the right",
    ),
    (
        Meaning::Heading(Heading::Left),
        "từ phải sang trái, phải sang trái, sang trái, qua trái, về bên trái, right to left, to the left",
    ),
    (
        Meaning::Heading(Heading::Near),
        "lại gần, về phía camera, đi về phía camera, tiến lại gần, đi tới gần, towards the camera, toward the \
         camera, approaching",
    ),
    (Meaning::Heading(Heading::Far), "đi xa, ra xa, rời xa, chạy xa, xa dần, away from the camera, moving away"),
    (Meaning::Size(Size::Large), "to, lớn, rất to, to đùng, large, big"),
    (Meaning::Size(Size::Small), "nhỏ, bé, rất nhỏ, small, little"),
    (Riders, "chở, đèo, kẹp, tống, carrying"),
    (
        Towards,
        "hướng, theo hướng, về hướng, đi hướng, chạy hướng, ra hướng, về phía, đi về phía, đi về, chạy về, hướng \
         ra, hướng về, towards, toward, heading to",
    ),
    (
        Longer,
        "hơn, quá, trên, lâu hơn, ít nhất, trong hơn, longer than, for more than, more than, over, at least, for \
         at least",
    ),
    (
        Landmark,
        "chợ, cầu, cổng, trường, chùa, đền, đình, trạm y tế, nhà văn hóa, ubnd, bến xe, bãi rác, cánh đồng, nghĩa \
         trang, giáp ranh, ngã 3, ngã 4, ngã 5, bệnh viện, bưu điện, sân bóng, cây xăng, market, bridge, school, \
         gate, junction, crossroads, pagoda",
    ),
    (Plate, "bs, bks, biển số, biển, biển kiểm soát, plate"),
    (
        CameraState,
        "mất hình, mất tín hiệu, mất kết nối, không lên hình, ko lên hình, không có hình, bị hỏng, bị đen, cam \
         nào chết, camera nào chết, cam nào hỏng, camera nào hỏng, cam nào tịt, cam nào đen, mắt nào hỏng, mắt \
         nào chết, cam chết, cam hỏng, cam tịt, camera hỏng, camera chết, camera mất tín hiệu, cam mất tín hiệu, \
         camera is down, cameras are down, cameras down, camera down, offline",
    ),
    (Camera, "cam, camera, mắt"),
    (Or, "hoặc, hay, or"),
    (
        Filler,
        "ai, nào, đó, này, kia, có, lúc, vào, ra, tìm, tìm kiếm, tìm giúp, xem, cho xem, cho tôi xem, cho em xem, \
         cho anh xem, cho tôi, cho, tôi, thấy, những, các, cái, chiếc, con, đi, chạy, qua, đi qua, chạy qua, đi \
         vào, đi ra, ở, tại, gần, trước, sau, trong, ngoài, khu, khu vực, đoạn, của, bị, là, thì, và, với, mà, \
         rồi, hình, hình ảnh, ảnh, video, clip, màu, mặc, mặc đồ, bao giờ, từ bao giờ, bao h, từ bao h, bao lâu, \
         đứng, để, lâu, một, tên, mọi, tất cả, từ, đến, tới, đang, nghi, do, the, a, an, at, in, on, near, by, \
         of, any, show, show me, find, find me, search, all, passing, passed, going, with, who, which, that, \
         wearing, and, from, went, seen, past, through, driving, riding, standing, staying, staying for, is, are, \
         was, for, what, when, there",
    ),
];

/// The other words that the same letters without accents may be; what they mean here depends on what stands around.
pub(super) const AMBIGUOUS: [(&str, &[&str]); 9] = [
    ("cho", &["chợ", "chó", "chở"]),
    ("do", &["đỏ", "đổ", "đỗ"]),
    ("den", &["đen", "đèn", "đến", "đền"]),
    ("mat", &["mắt", "mất"]),
    ("bac", &["bạc", "bắc"]),
    ("hong", &["hồng", "hỏng"]),
    ("tim", &["tím", "tìm"]),
    ("cau", &["cầu", "cậu"]),
    ("trang", &["trắng", "trang"]),
];

/// The longest phrases at the beginning: their meanings, how many words, and whether the accents are just so.
pub(super) fn longest(words: &[Word]) -> Vec<(Meaning, usize, bool, &'static str)> {
    let mut found: Vec<(Meaning, usize, bool, &'static str)> = Vec::new();
    for (meaning, phrases) in LEXICON {
        for phrase in phrases.split(", ") {
            let Some(taken) = starts(words, phrase) else { continue };
            let exact = phrase.split(' ').zip(words).all(|(meant, typed)| typed.is(&Word::new(meant)));
            let longest = found.first().map_or(0, |(_, taken, ..)| *taken);
            if taken > longest {
                found.clear();
            }
            if taken >= longest {
                found.push((*meaning, taken, exact, phrase));
            }
        }
    }
    found
}

/// What follows these, without accents, tells one reading of `cho`, `do`, … from another.
pub(super) fn is_one_of(word: Option<&Word>, list: &[&str]) -> bool {
    word.is_some_and(|w| list.contains(&w.folded.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::search::fold::{fold, words};

    #[test]
    fn no_phrase_stands_twice_and_each_is_found_with_and_without_its_accents() {
        let mut all: Vec<&str> = LEXICON.iter().flat_map(|(_, phrases)| phrases.split(", ")).collect();
        all.sort_unstable();
        // An orange thing and a camera are told apart by what stands before.
        let twice: Vec<_> = all.windows(2).filter(|w| w[0] == w[1] && w[0] != "cam").collect();
        assert!(twice.is_empty(), "{twice:?}");
        for phrase in all {
            for typed in [phrase.to_owned(), fold(phrase)] {
                let found = longest(&words(&typed));
                assert!(found.iter().any(|f| f.3 == phrase), "{typed}: {found:?}");
            }
        }
    }

    #[test]
    fn what_letters_without_accents_may_be_folds_to_them() {
        for (letters, readings) in AMBIGUOUS {
            assert!(readings.iter().all(|r| fold(r) == letters), "{letters}");
        }
    }
}
