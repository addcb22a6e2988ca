"""Analysis to text: tables in every format. Nothing is computed here that an Analysis does not say."""
