"""Alembic's entry: runs the revisions on the connection that ``_db.migrate`` hands over, each in one transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
# Recreating a table needs foreign keys off, and SQLite ignores that pragma inside a transaction.
connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
connection.exec_driver_sql("BEGIN IMMEDIATE")
context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
if broken:
    connection.rollback()
    raise RuntimeError(f"the migration would leave {len(broken)} rows pointing nowhere")
connection.commit()
connection.exec_driver_sql("PRAGMA foreign_keys=ON")
