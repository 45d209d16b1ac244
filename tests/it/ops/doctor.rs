//! `countersign doctor mail` with a real DNS server: it names each planted mistake and the record to publish (E3).

use std::process::Command;

use serde_json::Value;

use crate::support::{
    Mailbox,
    dns::{Dns, Record},
};

const DOMAIN: &str = "shop.example";

struct Keys {
    rsa: String,
    rsa_record: String,
    short: String,
    short_record: String,
}

fn keys() -> Keys {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("PEM")
    };
    let half = |pem: &str| {
        let settings = countersign::mail::DkimSettings {
            domain: DOMAIN.into(),
            selector: "s".into(),
            key: pem.into(),
        };
        settings.published_key().expect("a key").record
    };
    let rsa = openssl(&["genrsa", "-traditional", "2048"]);
    let short = openssl(&["genrsa", "-traditional", "1024"]);
    let (rsa_record, short_record) = (half(&rsa), half(&short));
    Keys {
        rsa,
        rsa_record,
        short,
        short_record,
    }
}

struct Case<'a> {
    records: Vec<Record<'a>>,
    key: &'a str,
    dkim_domain: &'a str,
    relay: String,
}

/// Runs the doctor and returns whether it found nothing wrong, and its findings.
fn examine(case: &Case<'_>) -> (bool, Value) {
    let dns = Dns::start(&case.records);
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args([
            "doctor",
            "mail",
            "--json",
            "--sender",
            "192.0.2.10",
            "--resolver",
            &dns.address.to_string(),
        ])
        .env("SMTP_URL", &case.relay)
        .env("MAIL_FROM", "shop@shop.example")
        .env("DKIM_DOMAIN", case.dkim_domain)
        .env("DKIM_RSA_SELECTOR", "rsa1")
        .env("DKIM_RSA_KEY", case.key)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), json)
}

fn codes(answer: &Value) -> Vec<String> {
    let findings = answer["findings"].as_array().expect("findings");
    let mut codes: Vec<String> = findings
        .iter()
        .filter(|finding| finding["level"] != "green")
        .map(|finding| finding["code"].as_str().expect("a code").to_owned())
        .collect();
    codes.dedup();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn each_planted_mistake_is_named_with_the_record_that_mends_it() {
    let (keys, mailbox) = (keys(), Mailbox::start().await);
    let dmarc = "v=DMARC1; p=reject; rua=mailto:dmarc@shop.example";
    let good = || {
        vec![
            Record::Txt(DOMAIN, "v=spf1 include:relay.example -all"),
            Record::Txt("relay.example", "v=spf1 ip4:192.0.2.0/24 -all"),
            Record::Txt("rsa1._domainkey.shop.example", &keys.rsa_record),
            Record::Txt("_dmarc.shop.example", dmarc),
            Record::Mx(DOMAIN, "mail.shop.example"),
            Record::A("mail.shop.example", "192.0.2.10"),
            Record::Ptr("192.0.2.10", "mail.shop.example"),
        ]
    };
    let relay = mailbox.url();
    let base = |records| Case {
        records,
        key: &keys.rsa,
        dkim_domain: DOMAIN,
        relay: relay.clone(),
    };
    let (well, answer) = examine(&base(good()));
    assert!(well && codes(&answer).is_empty(), "{answer}");

    let includes: Vec<String> = (0..12).map(|n| format!("i{n}.example")).collect();
    let many = format!(
        "v=spf1 {} ip4:192.0.2.10 -all",
        includes
            .iter()
            .map(|name| format!("include:{name}"))
            .collect::<Vec<_>>()
            .join(" ")
    );
    let with = |at: usize, record| {
        let mut records = good();
        records[at] = record;
        records
    };
    let without = |at: usize| {
        let mut records = good();
        records.remove(at);
        records
    };
    let mut lookups = with(0, Record::Txt(DOMAIN, &many));
    lookups.extend(includes.iter().map(|name| Record::Txt(name, "v=spf1 -all")));
    let mut several = good();
    several.push(Record::Txt(DOMAIN, "v=spf1 -all"));
    let cases: Vec<(&str, Case<'_>)> = vec![
        ("spf_missing", base(without(0))),
        ("spf_several", base(several)),
        (
            "spf_syntax",
            base(with(
                0,
                Record::Txt(DOMAIN, "v=spf1 ip4:192.0.2.300 includ:relay.example -all"),
            )),
        ),
        ("spf_lookups", base(lookups)),
        (
            "spf_voids",
            base(with(
                0,
                Record::Txt(
                    DOMAIN,
                    "v=spf1 a:no1.example a:no2.example mx:no3.example ip4:192.0.2.10 -all",
                ),
            )),
        ),
        ("spf_passes_all", base(with(0, Record::Txt(DOMAIN, "v=spf1 +all")))),
        (
            "spf_not_covered",
            base(with(1, Record::Txt("relay.example", "v=spf1 ip4:198.51.100.0/24 -all"))),
        ),
        ("spf_include_missing", base(without(1))),
        ("dkim_missing", base(without(2))),
        (
            "dkim_mismatch",
            base(with(2, Record::Txt("rsa1._domainkey.shop.example", &keys.short_record))),
        ),
        (
            "dkim_revoked",
            base(with(
                2,
                Record::Txt("rsa1._domainkey.shop.example", "v=DKIM1; k=rsa; p="),
            )),
        ),
        (
            "dkim_short",
            Case {
                key: &keys.short,
                ..base(with(2, Record::Txt("rsa1._domainkey.shop.example", &keys.short_record)))
            },
        ),
        ("dmarc_missing", base(without(3))),
        (
            "dmarc_none",
            base(with(
                3,
                Record::Txt("_dmarc.shop.example", "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"),
            )),
        ),
        (
            "dmarc_rua",
            base(with(3, Record::Txt("_dmarc.shop.example", "v=DMARC1; p=reject"))),
        ),
        ("mx_missing", base(without(4))),
        ("ptr_missing", base(good().into_iter().take(5).collect())),
        (
            "ptr_mismatch",
            base(with(6, Record::Ptr("192.0.2.10", "relay.example"))),
        ),
        (
            "dmarc_alignment",
            Case {
                dkim_domain: "other.example",
                ..base({
                    let mut records = good();
                    records.push(Record::Txt("rsa1._domainkey.other.example", &keys.rsa_record));
                    records
                })
            },
        ),
        (
            "relay_unreachable",
            Case {
                relay: "smtp://127.0.0.1:1".into(),
                ..base(good())
            },
        ),
    ];
    let count = cases.len();
    for (expected, case) in cases {
        let (well, answer) = examine(&case);
        assert_eq!(codes(&answer), [expected], "{answer}");
        let finding = answer["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .find(|finding| finding["code"] == expected)
            .expect("found");
        assert_eq!(well, finding["level"] != "red", "{answer}");
        if expected == "dkim_missing" {
            let publish = finding["publish"].as_str().expect("a record");
            assert!(
                publish.contains(&keys.rsa_record) && publish.starts_with("rsa1._domainkey.shop.example. TXT"),
                "{publish}"
            );
        }
    }
    println!("{count} planted mistakes, each named alone");
}
