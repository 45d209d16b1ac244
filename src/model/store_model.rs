//! The model of a store: its admin chooses among those that the operator has priced. Without a choice the installation's
//! default answers.

use std::sync::Arc;

use super::PricedModel;
use crate::{
    ledger::Statement,
    tenancy::{Role, Tx, Web},
};

/// The models that stores can choose among. There are none where the fixed rules answer alone.
#[derive(Clone, Debug, Default)]
pub struct StoreModels(Arc<[PricedModel]>);

impl StoreModels {
    /// The installation's default, and whatever else has a price.
    pub fn new(default: PricedModel, priced: &[PricedModel]) -> Self {
        let others = priced.iter().filter(|model| model.name != default.name).cloned();
        Self(std::iter::once(default.clone()).chain(others).collect())
    }

    /// All of them, the default first.
    pub fn all(&self) -> &[PricedModel] {
        &self.0
    }

    /// What answers for a store without a choice.
    pub fn default_model(&self) -> Option<&PricedModel> {
        self.0.first()
    }

    /// The model of that name, if it can be chosen.
    pub fn find(&self, name: &str) -> Option<&PricedModel> {
        self.0.iter().find(|model| *model.name == *name)
    }

    /// What is asked in place of the default for a store that has chosen `name`. None where the default answers: it is the one
    /// that was chosen, or the choice has no price any more.
    pub fn instead_of_default(&self, name: &str) -> Option<&PricedModel> {
        let others = self.0.get(1..).unwrap_or_default();
        others.iter().find(|model| *model.name == *name)
    }

    /// What the bound store has chosen, as a prompt needs it.
    pub async fn choice<R: Role>(&self, tx: &mut Tx<R>) -> Result<Choice, sqlx::Error> {
        if self.0.is_empty() {
            return Ok(Choice::default());
        }
        let StoredChoice { name, summarizes } = chosen(tx).await?;
        Ok(Choice {
            model: name.and_then(|name| self.instead_of_default(&name).cloned()),
            summarizes,
        })
    }
}

/// What a store's prompts are made and answered with.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What is asked in place of the default.
    pub model: Option<PricedModel>,
    /// Whether the turns that no longer fit leave a summary.
    pub summarizes: bool,
}

/// A store's choice as it is stored.
#[derive(Default)]
pub struct StoredChoice {
    /// The name of a model, whether or not it can still be chosen.
    pub name: Option<String>,
    pub summarizes: bool,
}

/// What the bound store has chosen.
pub async fn chosen<R: Role>(tx: &mut Tx<R>) -> Result<StoredChoice, sqlx::Error> {
    let found = sqlx::query_as!(
        StoredChoice,
        "SELECT model AS name, summarizes FROM store_models WHERE tenant_id = $1",
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.unwrap_or_default())
}

/// Sets what the bound store has chosen; the default choice takes it away. False where there was none to take away. The database demands
/// the session of an admin who has just proved who it is, and notes the change in the audit.
pub async fn choose(tx: &mut Tx<Web>, choice: &StoredChoice, said: Statement<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT set_store_model($1, $2, $3, $4, $5) AS "done!""#,
        choice.name.as_deref(),
        choice.summarizes,
        said.session,
        said.request,
        said.at
    )
    .fetch_one(&mut **tx)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(name: &str) -> PricedModel {
        PricedModel {
            name: name.into(),
            price: "1/2".parse().expect("a price"),
        }
    }

    #[test]
    fn a_choice_stands_in_for_the_default_only_while_it_has_a_price() {
        let models = StoreModels::new(priced("small"), &[priced("large"), priced("small")]);
        let names: Vec<&str> = models.all().iter().map(|model| &*model.name).collect();
        assert_eq!(names, ["small", "large"]);
        let asked = |name| models.instead_of_default(name).map(|model| &*model.name);
        assert_eq!(asked("large"), Some("large"));
        assert_eq!((asked("small"), asked("gone")), (None, None));
        assert!(models.find("small").is_some() && models.find("gone").is_none());
        assert!(StoreModels::default().instead_of_default("small").is_none());
    }
}
