//! Which export a file is: told by columns that only it has. What its records cannot do without is asked for then.

use super::{Kind, Platform, Reading, shopify, table::Table, woocommerce};

pub(super) struct Layout {
    pub platform: Platform,
    /// What people call it.
    name: &'static str,
    pub kind: Kind,
    /// The columns that tell it from others. Another spelling stands behind `|`.
    signs: &'static [&'static str],
    /// The columns that its records need besides.
    needs: &'static [&'static str],
    pub reading: Reading,
}

static LAYOUTS: [Layout; 8] = [
    Layout {
        platform: Platform::Shopify,
        name: "Shopify's orders",
        kind: Kind::Orders,
        signs: &["Name", "Lineitem name"],
        needs: &[
            "Financial Status",
            "Fulfillment Status",
            "Currency",
            "Total",
            "Lineitem quantity",
            "Lineitem price",
        ],
        reading: Reading::Groups {
            key: &["Name"],
            record: shopify::orders::record,
        },
    },
    Layout {
        platform: Platform::Shopify,
        name: "Shopify's products",
        kind: Kind::Products,
        signs: &["Handle|URL handle", "Title"],
        needs: &["Variant Price|Price"],
        reading: Reading::Groups {
            key: &["Handle", "URL handle"],
            record: shopify::products::record,
        },
    },
    Layout {
        platform: Platform::Shopify,
        name: "Shopify's customers",
        kind: Kind::Shoppers,
        signs: &[
            "First Name",
            "Last Name",
            "Accepts Email Marketing|Accepts Marketing|Customer ID",
        ],
        needs: &["Email"],
        reading: Reading::Groups {
            key: &[],
            record: shopify::customers::record,
        },
    },
    Layout {
        platform: Platform::WooCommerce,
        name: "WooCommerce's products",
        kind: Kind::Products,
        signs: &["Type", "SKU", "Regular price"],
        needs: &["ID", "Name", "Published", "In stock?", "Parent"],
        reading: Reading::Variations,
    },
    // A report of Analytics has no lines, no address and no total with tax: what it lacks is named.
    Layout {
        platform: Platform::WooCommerce,
        name: "the orders report of WooCommerce's Analytics",
        kind: Kind::Orders,
        signs: &["Order #", "Status"],
        needs: &["order_total", "billing_email|customer_email", "line_items|line_item_1"],
        reading: Reading::Groups {
            key: &["order_number", "order_id"],
            record: woocommerce::orders::record,
        },
    },
    Layout {
        platform: Platform::WooCommerce,
        name: "WooCommerce's orders",
        kind: Kind::Orders,
        signs: &["order_id|order_number", "status|order_status"],
        needs: &["order_total", "line_items|line_item_1"],
        reading: Reading::Groups {
            key: &["order_number", "order_id"],
            record: woocommerce::orders::record,
        },
    },
    Layout {
        platform: Platform::WooCommerce,
        name: "the customers report of WooCommerce's Analytics",
        kind: Kind::Shoppers,
        signs: &["Name", "Username", "Email"],
        needs: &[],
        reading: Reading::Groups {
            key: &[],
            record: woocommerce::customers::of_report,
        },
    },
    Layout {
        platform: Platform::WooCommerce,
        name: "WooCommerce's customers",
        kind: Kind::Shoppers,
        signs: &["user_email", "user_login|customer_id|ID"],
        needs: &[],
        reading: Reading::Groups {
            key: &[],
            record: woocommerce::customers::of_plugin,
        },
    },
];

/// The export that a file is. The error names the columns that were looked for, or the one that is missing.
pub(super) fn of(table: &Table, platform: Option<Platform>) -> Result<&'static Layout, String> {
    let has = |column: &&str| column.split('|').any(|spelling| table.has(spelling));
    let mut known = LAYOUTS
        .iter()
        .filter(|layout| platform.is_none_or(|platform| platform == layout.platform));
    let Some(layout) = known.clone().find(|layout| layout.signs.iter().all(&has)) else {
        let looked_for: Vec<String> = known
            .by_ref()
            .map(|layout| format!("{} ({})", layout.name, columns(layout.signs)))
            .collect();
        let found: Vec<String> = table.names().iter().take(12).map(|name| format!("`{name}`")).collect();
        return Err(format!(
            "the header row fits no export that is known: {}; its columns are {}",
            looked_for.join(", "),
            found.join(", ")
        ));
    };
    let missing: Vec<&str> = layout.needs.iter().copied().filter(|need| !has(need)).collect();
    match missing.is_empty() {
        true => Ok(layout),
        false => Err(format!("the file is {}, and lacks {}", layout.name, columns(&missing))),
    }
}

fn columns(names: &[&str]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.replace('|', "` or `")))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{super::table::tests::table, *};

    fn layout(header: &str, platform: Option<Platform>) -> Result<&'static str, String> {
        let table = table(header)?;
        of(&table, platform).map(|layout| layout.name)
    }

    #[test]
    fn a_file_is_known_by_its_header() {
        for (header, name) in [
            (
                "Name,Email,Financial Status,Fulfillment Status,Currency,Total,Lineitem quantity,Lineitem name,Lineitem price",
                "Shopify's orders",
            ),
            ("Handle,Title,Variant Price", "Shopify's products"),
            ("Title,URL handle,Price", "Shopify's products"),
            ("First Name,Last Name,Email,Accepts Marketing", "Shopify's customers"),
            ("Customer ID,First Name,Last Name,Email", "Shopify's customers"),
            (
                "ID,Type,SKU,Name,Published,In stock?,Regular price,Parent",
                "WooCommerce's products",
            ),
            (
                "order_id,order_number,status,order_total,line_item_1",
                "WooCommerce's orders",
            ),
            (
                "Name,Username,Last active,Sign up,Email,Orders",
                "the customers report of WooCommerce's Analytics",
            ),
            ("ID,user_login,user_email", "WooCommerce's customers"),
        ] {
            assert_eq!(layout(header, None).as_deref(), Ok(name), "{header}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (header, platform, parts) in [
            ("a,b", None, &["`Lineitem name`", "`Regular price`", "`a`, `b`"][..]),
            (
                "Handle,Title",
                None,
                &["Shopify's products", "`Variant Price` or `Price`"],
            ),
            (
                "Handle,Title,Variant Price",
                Some(Platform::WooCommerce),
                &["`Regular price`"],
            ),
            (
                "Date,Order #,Status,Customer,Net sales",
                None,
                &["Analytics", "lacks `order_total`"],
            ),
            ("", None, &["fits no export"]),
        ] {
            let fault = layout(header, platform).expect_err(header);
            assert!(parts.iter().all(|part| fault.contains(part)), "{header}: {fault}");
        }
    }
}
