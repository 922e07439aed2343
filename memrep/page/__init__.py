"""A page that shows a person how a cluster is. Rule: facts in, bytes out; no script, and nothing is fetched.

Theory: whoever opens it may have been called out of bed. So it says first, in one sentence, whether anything is
wrong; then what, and what to do; then it shows who hears whom and how the last hour was; figures come last.
Nothing is said by colour alone. What stands on it came from other machines and from a configuration, and is
text wherever it goes (html).

It is loaded when somebody opens it for the first time (daemon/front_page.py).

html          elements and text; nothing gets in unescaped
signs         what each state of a node looks like
sentence      the cluster in one sentence
hearing       who hears whom, pair by pair, and in words
picture       the same as a drawing
plot          one figure over the last hour
plots         which figures
problem_list  what is wrong, and what to do
node_table    the nodes, figure by figure
style         how all of it looks, in light and dark, wide and narrow
document      all of it as one file, and what a browser may do with it
"""
