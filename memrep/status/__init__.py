"""What an operator is told of a cluster. Rule: facts in, words out; nobody here knows whence the facts come.

A node gathers the facts (node/status.py), every command and page is a view of them, and a command runs without
a node: it has the facts from a node's admin socket, as JSON. So this room imports nothing of a node's.

facts         SEAM: one struct for a cluster as one node sees it, and what nodes say of themselves to each other
service_facts  SEAM: whether a node is in service, and what may be asked of that
client_facts  SEAM: the clients of one node
last_hour     SEAM: what a node has noted of itself lately
lock_facts    SEAM: the locks that PHP holds
config_facts  SEAM: the options of one node, and what a restart would make of them
session_facts  SEAM: sessions that were looked for, and ended
slow_facts    SEAM: commands that waited for long
steps         what takes long to tell, told in small steps
words         durations, amounts and lists as people write them
upkeep        what is wrong with options and log, which users notice later
problems      what is wrong, and what to do
nodes         nodes picked and put into words
findings      what checks find, in the words of a monitoring plugin
reloads       what has become of options that were read anew
safe_to_stop  whether the asked node may be stopped now
checks        the questions of a monitoring system
client_rates  which hosts ask how much
columns       tables of a few columns
session_list  sessions that were looked for
slow_list     commands that waited for long
lock_list     the locks that PHP holds
config_list   a node's options, and what a restart would make of them
client_table  a node's clients, by host or one by one
table         the cluster in 80 columns
screen        all that goes on at a node on one screen
counts        which counter is told by which metric
metric        what a metric is, and how its series follow from what is known
metrics       every figure that a program may collect, with its name and what it means
"""
