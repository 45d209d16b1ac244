//! Help articles: written by a store's staff for shoppers, searched by their words, with misspellings tolerated.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

use crate::{
    language::Language,
    tenancy::{Reader, Role, Tx, Web},
};

/// How many articles a search returns.
const MAX_RESULTS: i64 = 3;
/// How many words of an article a search returns: about a screen of the chat.
const EXCERPT: &str =
    "MaxFragments=2, MaxWords=60, MinWords=25, StartSel=\"\", StopSel=\"\", FragmentDelimiter=\" … \"";
/// How similar a question must be to an article's title to match it by spelling alone; Postgres's own threshold for words is 0.6.
const MIN_SIMILARITY: f32 = 0.5;

/// An article in search results: the text to quote, and its source.
#[derive(Serialize)]
pub struct FoundArticle {
    pub title: String,
    pub excerpt: String,
    pub slug: String,
    pub language: String,
}

/// A source of an answer, which the reader can look up.
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

/// An article as staff see it.
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

/// The text of an article.
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

/// The published articles that match a question best: first those in `language`, or in the store's language where none is given.
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
        MIN_SIMILARITY,
        EXCERPT,
        MAX_RESULTS
    )
    .fetch_all(&mut **tx)
    .await
}

/// The published article with this language and slug.
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

/// All articles of the store, by name.
pub async fn list(tx: &mut Tx<Web>) -> Result<Vec<Article>, sqlx::Error> {
    sqlx::query_as!(
        Article,
        "SELECT id, slug, language, title, body, published, updated_at FROM help_articles ORDER BY slug, language"
    )
    .fetch_all(&mut **tx)
    .await
}

/// Writes an article, replacing the one with that slug and language. True when anything has changed.
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

/// What shoppers searched for without a result since `since`, the most frequent first.
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

/// Whether the slug is valid, small letters, digits and hyphens, and the service has the language.
pub fn is_valid_slug(language: &str, slug: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    language.parse::<Language>().is_ok()
        && (1..=120).contains(&slug.len())
        && !slug.starts_with('-')
        && slug.chars().all(letters)
}
