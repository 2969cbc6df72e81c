"""What people say of answers: a page on which they compare them, their labels, and what these say of a judge."""
