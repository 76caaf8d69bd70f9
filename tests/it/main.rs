//! One binary for all stories.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod full;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod node_life;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tidy;
