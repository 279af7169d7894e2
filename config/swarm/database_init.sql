-- The hub's own tables, apart from those of the services.
CREATE DATABASE jupyterhub OWNER jupytercloud;
