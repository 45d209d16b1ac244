//! Help articles: what a store's staff has written for shoppers, found by its words, with a letter wrong too.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

use crate::{
    language::Language,
    tenancy::{Reader, Role, Tx, Web},
};

/// Articles that a search gives.
const FOUND: i64 = 3;
/// How much of an article a search gives, in words: a screen of the chat.
const EXCERPT: &str =
    "MaxFragments=2, MaxWords=60, MinWords=25, StartSel=\"\", StopSel=\"\", FragmentDelimiter=\" … \"";
/// How like an article's title a question must be to find it by its letters alone; 0.6 is Postgres's own measure for words.
const LIKE_ENOUGH: f32 = 0.5;

/// An article as it is found: what to quote, and where it is from.
#[derive(Serialize)]
pub struct FoundArticle {
    pub title: String,
    pub excerpt: String,
    pub slug: String,
    pub language: String,
}

/// What an answer is founded on, for its reader to look up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Citation {
    #[schema(example = "How to return something")]
    pub title: String,
    #[schema(example = "en")]
    pub language: String,
    #[schema(example = "returns")]
    pub slug: String,
}

/// An article as shoppers read it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HelpPage {
    pub title: String,
    pub body: String,
    pub updated_at: DateTime<Utc>,
}

/// An article.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Article {
    pub id: Uuid,
    #[schema(example = "returns")]
    pub slug: String,
    pub language: String,
    pub title: String,
    pub body: String,
    pub published: bool,
    pub updated_at: DateTime<Utc>,
}

/// What an article says.
#[derive(Clone, Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArticleText {
    /// 1 to 200 characters.
    #[validate(length(min = 1, max = 200), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    #[schema(example = "How to return something")]
    pub title: String,
    /// Plain text or Markdown, 1 to 20,000 characters.
    #[validate(length(min = 1, max = 20000), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    #[schema(example = "You may return what you bought within 30 days.")]
    pub body: String,
    pub published: bool,
}

/// The published articles that fit a question best: those in `language` first, which is the store's where none is given.
pub async fn search(
    tx: &mut Tx<Reader>,
    query: &str,
    language: Option<&str>,
) -> Result<Vec<FoundArticle>, sqlx::Error> {
    sqlx::query_as!(
        FoundArticle,
        r#"SELECT title, slug, language,
            ts_headline(CASE language WHEN 'de' THEN 'german'::regconfig ELSE 'english'::regconfig END, body, wanted, $4) AS "excerpt!"
        FROM help_articles, LATERAL (SELECT CASE language
            WHEN 'de' THEN replace(plainto_tsquery('german', $1)::text, '&', '|')::tsquery
            ELSE replace(plainto_tsquery('english', $1)::text, '&', '|')::tsquery END AS wanted) question
        WHERE published AND (words @@ wanted OR word_similarity(title, $1) >= $3 OR word_similarity($1, title) >= $3)
        ORDER BY language = coalesce($2, (SELECT t.language FROM tenants t WHERE t.tenant_id = help_articles.tenant_id)) DESC, ts_rank(words, wanted) + word_similarity($1, title) DESC, slug LIMIT $5"#,
        query,
        language,
        LIKE_ENOUGH,
        EXCERPT,
        FOUND
    )
    .fetch_all(&mut **tx)
    .await
}

/// The published article of this place.
pub async fn page(tx: &mut Tx<Reader>, language: &str, slug: &str) -> Result<Option<HelpPage>, sqlx::Error> {
    sqlx::query_as!(
        HelpPage,
        "SELECT title, body, updated_at FROM help_articles WHERE published AND language = $1 AND slug = $2",
        language,
        slug
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Every article of the store, by name.
pub async fn list(tx: &mut Tx<Web>) -> Result<Vec<Article>, sqlx::Error> {
    sqlx::query_as!(
        Article,
        "SELECT id, slug, language, title, body, published, updated_at FROM help_articles ORDER BY slug, language"
    )
    .fetch_all(&mut **tx)
    .await
}

/// Writes an article: a new one, or in place of the one of that name and language. Whether anything has changed.
pub async fn write<R: Role>(
    tx: &mut Tx<R>,
    slug: &str,
    language: &str,
    text: &ArticleText,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let written = sqlx::query!(
        "INSERT INTO help_articles (tenant_id, id, slug, language, title, body, published, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (tenant_id, language, slug) DO UPDATE SET title = $5, body = $6, published = $7, updated_at = $8
        WHERE (help_articles.title, help_articles.body, help_articles.published) IS DISTINCT FROM ($5, $6, $7)",
        tx.tenant_id().as_uuid(),
        Uuid::now_v7(),
        slug,
        language,
        text.title,
        text.body,
        text.published,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// A question that no article answered.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Unanswered {
    /// The search of the assistant, as JSON.
    #[schema(example = r#"{"query": "do you ship to Mars"}"#)]
    pub arguments: String,
    pub times: i64,
    pub last_at: DateTime<Utc>,
}

/// What was searched for in vain since `since`, the most often first.
pub async fn unanswered(tx: &mut Tx<Web>, since: DateTime<Utc>) -> Result<Vec<Unanswered>, sqlx::Error> {
    sqlx::query_as!(
        Unanswered,
        r#"SELECT arguments, count(*) AS "times!", max(created_at) AS "last_at!" FROM tool_calls
        WHERE tool = 'search_help' AND reason = 'not_found' AND created_at > $1
        GROUP BY arguments ORDER BY 2 DESC, 3 DESC LIMIT 50"#,
        since
    )
    .fetch_all(&mut **tx)
    .await
}

/// Whether an article can be there: a language that there is, a name of small letters, digits and hyphens.
pub fn is_place(language: &str, slug: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    language.parse::<Language>().is_ok()
        && (1..=120).contains(&slug.len())
        && !slug.starts_with('-')
        && slug.chars().all(letters)
}
