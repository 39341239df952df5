//! Sentiment against VADER's own scores, languages, signs of wrong encodings, and how names are alike.

use super::{error, near, text, values};

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Scores by vaderSentiment 3.3.2; the first four are in its README.
const VADER: &[(&str, f64)] = &[
    ("VADER is smart, handsome, and funny.", 0.8316),
    ("VADER is smart, handsome, and funny!", 0.8439),
    ("VADER is not smart, handsome, nor funny.", -0.7424),
    ("The book was good.", 0.4404),
    ("VADER is very smart, handsome, and funny.", 0.8545),
    ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
    ("VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!", 0.9469),
    ("At least it isn't a horrible book.", 0.431),
    ("The book was only kind of good.", 0.3832),
    ("The plot was good, but the characters are uncompelling and the dialog is not great.", -0.7042),
    ("Today SUX!", -0.5461),
    ("Today only kinda sux! But I'll get by, lol", 0.5249),
    ("Make sure you :) or :D today!", 0.8633),
    ("Not bad at all", 0.431),
    ("No problem here, no good or bad news", 0.4023),
    ("It was never so good as this", 0.6626),
    ("Without doubt the worst service I have ever seen????", -0.6059),
    ("Delivery was late and the box was broken, but the support team was kind and fast.", 0.7964),
    ("yeah right, that was to die for", -0.4019),
    ("the least helpful agent", -0.3252),
    ("I would not say it was sort of terrible", -0.5256),
    ("", 0.0),
    ("The parcel came.", 0.0),
    ("Nothing was great, nobody cared; what a shame?!", -0.5975),
    ("They had no solution nor hope", 0.0202),
    ("The quality is good but the price is not good and I am sad but happy", -0.0667),
];

#[tokio::test]
async fn english_scores_are_vaders() {
    for (text, score) in VADER {
        let found = values(&format!("sentiment({}, 'en')", quoted(text))).await;
        assert!((found[0] - score).abs() < 5e-5, "{text}: {score}, not {}", found[0]);
    }
    assert!(error("SELECT sentiment('x', 'fr')").await.contains("`fr` is not a language"));
}

#[tokio::test]
async fn chinese_texts_fall_on_the_right_side() {
    for text in ["质量非常好，很满意！", "品質很好，推薦", "没有问题，物流很快", "客服態度不錯", "一点也不贵"]
    {
        assert!(values(&format!("sentiment('{text}', 'zh')")).await[0] > 0.2, "{text}");
    }
    for text in ["质量太差了，再也不买", "服務差，很失望", "不好用", "并不满意", "东西不错，但是客服态度恶劣，投诉无门"]
    {
        assert!(values(&format!("sentiment('{text}', 'zh')")).await[0] < -0.2, "{text}");
    }
    let found = values(
        "sentiment('今天收到了包裹', 'zh'), sentiment('', 'zh'),
         sentiment('非常好', 'zh') - sentiment('好', 'zh'), sentiment('有点慢', 'zh') - sentiment('慢', 'zh')",
    )
    .await;
    near(&found[..2], &[0.0, 0.0], 0.0);
    assert!(found[2] > 0.0 && found[3] > 0.0, "{found:?}");
}

/// Sentences of ours: what happened to a customer is heard as a complaint, a fact is not, and a longer word hides the one
/// inside it. The scores are of a second writing of the rules.
const CHINESE: &[(&str, f64)] = &[
    ("半小时的路等了两个小时，送来都凉了", -0.5106),
    ("汤洒了一半，餐具也没给", -0.5574),
    ("湯灑了一半，餐具也沒給", -0.5574),
    ("送错了还不给退，气死我了！", -0.8553),
    ("便宜没好货，再也不买这家", -0.7269),
    ("明明说好的靠窗房间，竟然没有", -0.6486),
    ("这家店不怎么样，不会再来了", -0.7783),
    ("名不副實，不敢恭維", -0.7184),
    ("宽敞，但是不安静", -0.3274),
    ("房间宽敞安静，早餐丰富", 0.8625),
    ("房間寬敞安靜，早餐豐富", 0.8625),
    ("性价比高，下次还会再来", 0.6908),
    ("不是假货，放心买", 0.7409),
    ("再也不用担心", 0.357),
    ("快递放在前台了", 0.0),
    ("您好，请问几点发货？", 0.0),
    ("还没用，先放着", 0.0),
    ("差不多一个小时送到", 0.0),
    ("去海边度假的时候住过", 0.0),
    ("我刚才到家", 0.0),
    ("我分别买了两件", 0.0),
    // Words that only contain a complaint: do not miss it, a Holiday Inn, brought what was asked for, cannot go wrong, never a bad review.
    ("千万别错过", 0.4939),
    ("这家是假日酒店", 0.0),
    ("没送错", 0.0),
    ("不会买错", 0.0),
    ("从没给过差评", 0.0),
    ("再也不卡了", 0.0),
    ("一点毛病没有", 0.3612),
];

#[tokio::test]
async fn chinese_complaints_are_heard_and_facts_are_none() {
    for (text, score) in CHINESE {
        let found = values(&format!("sentiment({}, 'zh')", quoted(text))).await;
        assert!((found[0] - score).abs() < 5e-5, "{text}: {score}, not {}", found[0]);
    }
}

#[tokio::test]
async fn wrong_encodings_are_seen_and_right_ones_are_not() {
    let found = values(
        "mojibake_score('CafÃ© OlÃ©'), mojibake_score('锟斤拷锟斤拷'), mojibake_score('x\u{fffd}'), mojibake_score('æ˜¾ç¤º'),
         mojibake_score('Café «été», Åse, 张三，好'), mojibake_score('')",
    )
    .await;
    near(&found, &[4.0 / 10.0, 1.0, 0.5, 1.0, 0.0, 0.0], 1e-12);
}

#[tokio::test]
async fn a_language_is_told_and_a_short_text_is_not() {
    assert_eq!(text("language('Das Paket war nicht da')").await, "de");
    assert_eq!(text("language('物流很快')").await, "zh");
    assert_eq!(text("language('Super!')").await, "und");
}

/// The table of Winkler 1990, to its three decimals.
#[tokio::test]
async fn names_are_as_alike_as_winkler_has_them() {
    let found = values(
        "jaro_winkler('MARTHA', 'MARHTA'), jaro_winkler('DWAYNE', 'DUANE'), jaro_winkler('DIXON', 'DICKSONX'),
         jaro_winkler('王小明', '王小明'), jaro_winkler('a', 'b'), jaro_winkler('a', NULL)",
    )
    .await;
    near(&found, &[0.961, 0.840, 0.813, 1.0, 0.0, f64::NAN], 5e-4);
}

#[tokio::test]
async fn a_name_has_a_code_where_it_has_a_latin_letter() {
    assert_eq!(text("soundex('Ashcraft')").await, "A261");
    let found = values("CAST(soundex('王小明') IS NULL AS BIGINT), CAST(soundex(NULL) IS NULL AS BIGINT)").await;
    near(&found, &[1.0, 1.0], 0.0);
    assert!(error("SELECT soundex('a', 'b')").await.contains("was given 2 arguments"));
}
