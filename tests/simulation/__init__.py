"""The simulator: whole nodes under a clock, a network and faults that obey one seed; proof that it notices.

plan             what a run draws from its seed
world            time, the network, processes
host             one server: a node in turns, its links
faults, spite    what befalls them, at any time or when it hurts most
ways             between clients and nodes
codecs           a command spelled in each protocol of memcached's; resp_codec in Redis'
workload         plain clients; php_worker, php_memcached_worker, toggler, plain_clients have their own habits
redis_clients    Redis' clients on the same keys; phpredis_worker, token_locks have their own habits
requests         what a request of PHP waits for
semantics        what a command means for the history of its key
linearizability  whether a history can have been
sameness         whether two nodes hold the same
checks           what must hold in the end
simulator        one seed, from cold start to healed cluster
trace            what happens, for people; and its fingerprint
rule_mutations   each rule broken on purpose
redis_mutations  those of Redis' clients
refinements      rules about several faults in a row, each taken away under its story
"""
