"""Flask-Session in memrep, over redis-py: `app.config.from_object("memrep_sessions")` before `Session(app)`.

Install flask-session and redis, and put memrep_redis.py beside this file. All web servers know the nodes by the
name memrep.
"""

import redis
from memrep_redis import OPTIONS

SESSION_TYPE = "redis"
SESSION_REDIS = redis.Redis(connection_pool=redis.ConnectionPool.from_url("redis://memrep:6379", **OPTIONS))
