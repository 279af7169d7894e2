"""What is used, by whom, at what price, and how much is left. `pricing`, `windows` and `budgets` are pure."""
