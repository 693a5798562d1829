"""SQLite databases of the orchestrator: tables, engine, migrations."""
