//! Values that plugs leave for those after them, one of each type.

use std::any::{Any, TypeId, type_name};

/// A value, with its type and the type's name.
type Assigned = (TypeId, &'static str, Box<dyn Any + Send + Sync>);

/// A small map from types to values of them. A request has few, so it is searched, not hashed.
///
/// ```
/// # use simurgh_web::Assigns;
/// #[derive(Debug, PartialEq)]
/// struct CurrentUser(u64);
///
/// let mut assigns = Assigns::default();
/// assert_eq!(assigns.insert(CurrentUser(1)), None);
/// assert_eq!(assigns.insert(CurrentUser(2)), Some(CurrentUser(1)));
/// assert_eq!(assigns.get(), Some(&CurrentUser(2)));
/// assert_eq!(assigns.get::<String>(), None);
/// ```
#[derive(Default)]
pub struct Assigns {
    values: Vec<Assigned>,
}

impl Assigns {
    /// Puts a value in; gives back the one of its type that was there.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let former = self.remove();
        self.values.push((TypeId::of::<T>(), type_name::<T>(), Box::new(value)));
        former
    }

    /// The value of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let (_, _, value) = self.values.iter().find(|(id, ..)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// The value of this type, to change.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let (_, _, value) = self.values.iter_mut().find(|(id, ..)| *id == TypeId::of::<T>())?;
        value.downcast_mut()
    }

    /// The value of this type, which is put in first if there is none.
    pub fn get_or_insert_with<T: Send + Sync + 'static>(&mut self, make: impl FnOnce() -> T) -> &mut T {
        let at = self.values.iter().position(|(id, ..)| *id == TypeId::of::<T>());
        let at = at.unwrap_or_else(|| {
            self.values.push((TypeId::of::<T>(), type_name::<T>(), Box::new(make())));
            self.values.len() - 1
        });
        self.values[at].2.downcast_mut().expect("it stands under its own type")
    }

    /// The names of the types of which there are values, as the compiler writes them: for people.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.values.iter().map(|(_, name, _)| *name)
    }

    /// Takes the value of this type out.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let at = self.values.iter().position(|(id, ..)| *id == TypeId::of::<T>())?;
        self.values.swap_remove(at).2.downcast().ok().map(|value| *value)
    }
}

impl std::fmt::Debug for Assigns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Assigns({})", self.values.len())
    }
}
