"""Configuration files for tests: one for each kind of hub, using as many keys as a real one."""

SINGLE = """\
site:
  name: labo
  url: http://127.0.0.1:8000/labo/
"""

SITE = """\
site:
  name: grenoble
  role: site
  title: {fr: Grenoble, en: Grenoble site}
  url: https://grenoble.example.fr/
  contact: support@example.fr
  timezone: Europe/Paris
  state: ./state
auth:
  issuer: https://idp.example.fr
  preset: renater
  client_id: grenoble
  client_secret: {env: GRENOBLE_SECRET}
  claims: {eppn: [eduPersonPrincipalName]}
institutions:
  - name: univ-grenoble
    title: Université Grenoble Alpes
    home_organizations: [univ-grenoble-alpes.fr]
    affiliations: member
    groups: [physique, {name: enseignants, affiliations: [faculty]}]
    home_site: grenoble
profiles:
  - name: base
    abstract: true
    title: Base
    image: registry.example.fr/base:1
    resources: {cpu: 1, memory: 2 GiB}
  - name: pycoa
    extends: base
    title: {fr: Premiers pas, en: First steps}
    description: Des courbes.
    resources: {cpu: {guarantee: 0.5, limit: 2}, memory: 4 GiB}
    default_url: /lab/tree/premiers-pas.ipynb
    options:
      - name: version
        title: Version
        choices: ["3.11", {value: "3.12", title: Python 3.12}]
  - name: gpu
    title: GPU
    resources: {cpu: 4, memory: 16 GiB, gpu: 1, gpu_type: a100}
    access: {groups: [physique], reason: Demandez à votre équipe.}
spawner:
  backend: local
  gpus: {a100: 2}
culling:
  every: 1 min
  warn: 10 min
  rules:
    - {name: nuit, profiles: [pycoa], when: [{days: [fri], from_hour: "20:00", to_hour: "07:00"}], idle: 30 min}
    - {name: gpu, gpu: [a100], idle: 1 h, max_age: 12 h}
    - {name: partout, idle: 2 h}
quotas:
  tariff: [{cpu: 1, memory: 0.25, gpu: 10}]
  budgets:
    - name: etudiants
      affiliations: student
      limits: [{window: 30 d, cpu_hours: 100, hard: true}]
      concurrent: {servers: 2}
  when_unavailable: allow
federation:
  portal: {url: https://portail.example.fr/, interval: 5 s}
privacy:
  retention: {usage: 400 d}
  contact: dpo@example.fr
database:
  url: sqlite:///state/jupytercloud.sqlite
"""

PORTAL = """\
site:
  name: portail
  role: portal
  url: https://portail.example.fr/
institutions:
  - {name: reims, home_organizations: univ-reims.fr, home_site: reims}
federation:
  sites:
    - {name: reims, url: https://reims.example.fr/, weight: 2}
    - {name: grenoble, url: https://grenoble.example.fr/, failover: {policy: partner, partners: [reims]}}
  rules:
    - {name: tous, home_organizations: "*.fr", allow: "*"}
    - {affiliations: [student], deny: [grenoble]}
database:
  url: postgresql://jupytercloud@db.example.fr/jupytercloud
"""
