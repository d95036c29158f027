//! Which titles are likely to mean the same matter.

use duban::kernel::similar::likeness;
use proptest::prelude::*;

const TITLES: [&str; 6] = [
    "关于加快老旧小区电动自行车充电设施建设的建议",
    "关于在老旧小区增设电动自行车充电桩的建议",
    "关于加强农村生活污水治理的建议",
    "关于推进农村生活污水治理工作的建议",
    "关于推进我市文旅融合发展的建议",
    "关于支持民营企业发展的建议",
];

#[test]
fn the_same_matter_is_more_alike_than_the_words_that_all_titles_have() {
    for (asked, nearest) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        let mut alike: Vec<(u8, usize)> = likeness(TITLES[asked], TITLES).into_iter().zip(0..).collect();
        alike.retain(|(_, title)| *title != asked);
        alike.sort_unstable();
        let (best, next) = (alike[alike.len() - 1], alike[alike.len() - 2]);
        assert_eq!(best.1, nearest, "{}: {alike:?}", TITLES[asked]);
        assert!(best.0 >= 30 && next.0 < 20, "{}: {alike:?}", TITLES[asked]);
    }
    assert_eq!(likeness("关于修路的建议", ["关于修路的建议", "另一件事"]), [100, 0]);
    assert_eq!(likeness("Road Works", ["road-works!", "", "x"]), [100, 0, 0], "case and signs do not count");
    assert_eq!(likeness("", ["", "路"]), [0, 0]);
    assert_eq!(likeness("路", ["路", "桥"]), [100, 0], "one character is compared as such");
}

proptest! {
    #[test]
    fn it_is_a_percentage_the_same_from_both_sides(one in "\\PC{0,24}", other in "\\PC{0,24}") {
        let (there, back) = (likeness(&one, [other.as_str()]), likeness(&other, [one.as_str()]));
        prop_assert_eq!(&there, &back);
        prop_assert!(there[0] <= 100);
        let same = likeness(&one, [one.as_str()])[0];
        prop_assert!(same == 100 || same == 0 && !one.chars().any(char::is_alphanumeric), "{}", same);
    }
}
