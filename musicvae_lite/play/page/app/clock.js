var e=null;onmessage=({data:t})=>{clearInterval(e),e=t==="start"?setInterval(()=>postMessage("tick"),25):null};
