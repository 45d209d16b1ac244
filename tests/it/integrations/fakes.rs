//! The fakes of shop platforms themselves: that they answer as the platforms document it, for tests that rely on them.

mod shopify;
mod woocommerce;
