"""Programs of packages from PyPI, each at work on data that is always the same. Each
function loads its own package only. Runs unchanged under CPython 2.7 and 3.6 to 3.15."""

import inspect
import textwrap

ROWS = [{"name": u"name <%d>" % n, "price": n * 1.25, "tags": [u"a%d" % n, u"b"][: n % 3]} for n in range(60)]


def run_pygments():
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer
    text = inspect.getsource(textwrap)
    lexer, formatter = PythonLexer(), HtmlFormatter(linenos="inline")
    return lambda: highlight(text, lexer, formatter)


def run_jinja2():
    from jinja2 import Environment
    template = Environment(autoescape=True).from_string(u"""
        {% macro cell(x) %}<td class="{{ x|length }}">{{ x|upper }}</td>{% endmacro %}
        {% for row in rows if row.price > 3 %}<tr>{{ cell(row.name) }}<td>{{ "%.2f"|format(row.price) }}</td>
        {% for tag in row.tags|sort %}{{ loop.index }}: {{ tag|title }}{% else %}none{% endfor %}</tr>{% endfor %}""")
    return lambda: template.render(rows=ROWS)


def run_jinja2_compiler():
    from jinja2 import Environment
    environment = Environment()
    text = u"{% for a in b %}{{ a.c|d(1) }}{% if a is odd and a.x[2] %}{% set y = a ~ 'z' %}{{ y }}{% endif %}{% endfor %}"
    return lambda: environment.compile(text)


def run_mako():
    from mako.template import Template
    template = Template(u"""<%def name="cell(x)"><td>${x | h}</td></%def>
        % for row in rows:
        <tr>${cell(row["name"])}<td>${"%.2f" % row["price"]}</td>${", ".join(row["tags"]) | h, trim}</tr>
        % endfor""")
    return lambda: template.render(rows=ROWS)


MARKDOWN = u"""
# Head *one*

A paragraph with `code`, **bold [link](http://example.org "title")** and <b>html</b>.
It has a second line\\
and a third, ![image](a.png).

* item
  1. inner _item_
  2. other
* last

> quoted

    code

| a | b |
|---|---|
| 1 | `2` |
"""


def run_markdown():
    from markdown_it import MarkdownIt
    parser = MarkdownIt().enable("table")
    return lambda: parser.render(MARKDOWN * 3)


def run_html5lib():
    import html5lib
    text = u"<!doctype html><title>x</title>" + u"".join(
        u"<p class=c%d>some <b>bold <i>both</b> it</i>&amp; text<table><tr><td>%d<li>%s</table>" % (n, n, row["name"])
        for n, row in enumerate(ROWS[:15]))
    return lambda: html5lib.serialize(html5lib.parse(text), omit_optional_tags=False)


def run_sqlalchemy():
    import sqlalchemy as sql
    tables = sql.MetaData()
    user = sql.Table("user", tables, sql.Column("id", sql.Integer, primary_key=True), sql.Column("name", sql.String(50)))
    order = sql.Table(
        "order", tables, sql.Column("id", sql.Integer, primary_key=True), sql.Column("price", sql.Float),
        sql.Column("user", sql.Integer, sql.ForeignKey("user.id")))

    def select(*columns):
        return sql.select(list(columns)) if sql.__version__ < "1.4" else sql.select(*columns)

    def unit():
        count = sql.func.count(order.c.id).label("count")
        query = select(user.c.name, count).select_from(user.join(order))
        query = query.where(sql.and_(order.c.price > 3, user.c.name.like("a%"))).group_by(user.c.name)
        query = query.having(count > 2).order_by(count.desc()).limit(10)
        return str(query), str(user.insert()), str(order.update().where(order.c.id == 5))
    return unit


def run_django():
    from django.conf import settings
    settings.configure(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    import django
    from django.template import Context, Engine
    django.setup()
    template = Engine().from_string(u"""{% for row in rows %}{% if row.price > 3 and forloop.counter %}<tr>
        <td>{{ row.name|upper }}</td><td>{{ row.price|floatformat:2 }}</td>
        {% for tag in row.tags %}{% cycle "odd" "even" %}{{ tag|title|default:"-" }}{% empty %}none{% endfor %}
        {% endif %}</tr>{% endfor %}""")
    return lambda: template.render(Context({"rows": ROWS}))


PROGRAMS = {
    "pygments": run_pygments, "jinja2": run_jinja2, "jinja2-compiler": run_jinja2_compiler, "mako": run_mako,
    "markdown-it-py": run_markdown, "html5lib": run_html5lib, "sqlalchemy": run_sqlalchemy, "django": run_django,
}
